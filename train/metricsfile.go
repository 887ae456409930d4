package train

import (
	"bufio"
	"cmp"
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
	line []byte
}

// open opens path, cuts it to size bytes, and goes on behind them.
func (l *metricsFile) open(path string, size int64) error {
	if path == "" {
		return nil
	}
	flags := os.O_RDWR
	if size == 0 {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return fmt.Errorf("train: metrics file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("train: metrics file %s has %d bytes, the checkpoint knows of %d", path, info.Size(), size)
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
	*l = metricsFile{f: f, w: bufio.NewWriter(f), size: size}
	return nil
}

// write appends one line: {"step":n, …}.
func (l *metricsFile) write(step int, m *Metrics) error {
	if l.f == nil {
		return nil
	}
	l.line = strconv.AppendInt(append(l.line[:0], `{"step":`...), int64(step), 10)
	if len(m.entries) > 0 {
		l.line = m.appendJSON(append(l.line, ','))
	}
	l.line = append(l.line, '}', '\n')
	n, err := l.w.Write(l.line)
	l.size += int64(n)
	return err
}

// sync makes everything written durable.
func (l *metricsFile) sync() error {
	if l.f == nil {
		return nil
	}
	if err := l.w.Flush(); err != nil {
		return err
	}
	return l.f.Sync()
}

func (l *metricsFile) close() error {
	if l.f == nil {
		return nil
	}
	err := cmp.Or(l.w.Flush(), l.f.Close())
	l.f = nil
	return err
}
