package train

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
)

// metricsFile is a JSONL file of metrics. The zero value, with no file behind it, takes
// everything and writes nothing.
type metricsFile struct {
	f    *os.File
	w    *bufio.Writer
	size int64
}

// open opens path, cuts it to size bytes, and goes on behind them.
func (l *metricsFile) open(path string, size int64) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("train: %s has %d bytes, the checkpoint knows of %d", path, info.Size(), size)
	}
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	*l = metricsFile{f, bufio.NewWriter(f), size}
	return nil
}

// write appends one line: {"step":n, …}.
func (l *metricsFile) write(step int, m *Metrics) error {
	if l.f == nil {
		return nil
	}
	values, err := m.MarshalJSON()
	if err != nil {
		return err
	}
	line := append(strconv.AppendInt([]byte(`{"step":`), int64(step), 10), ',')
	if len(values) == 2 {
		line = line[:len(line)-1]
	}
	line = append(append(line, values[1:]...), '\n')
	n, err := l.w.Write(line)
	l.size += int64(n)
	return err
}

// sync makes everything written durable and returns the length of the file.
func (l *metricsFile) sync() (int64, error) {
	if l.f == nil {
		return 0, nil
	}
	if err := l.w.Flush(); err != nil {
		return 0, err
	}
	return l.size, l.f.Sync()
}

func (l *metricsFile) close() error {
	if l.f == nil {
		return nil
	}
	err := l.w.Flush()
	if e := l.f.Close(); err == nil {
		err = e
	}
	l.f = nil
	return err
}
