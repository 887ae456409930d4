package train

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
)

// WriteFile writes a file so that, whenever the process is killed, path holds either the
// old contents or the new, whole: write fills path + ".tmp", which is made durable and
// renamed. After an error the old contents are still there. Two processes must not write
// one path at the same time. It panics if write is nil.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	if write == nil {
		panic("train: WriteFile without a function that writes")
	}
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil { // the rename itself, where a folder can be synced
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}
