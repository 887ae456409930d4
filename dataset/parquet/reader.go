package parquet

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"

	"github.com/prefgrad/prefgrad/dataset"
)

// DefaultMaxPage is the largest page that a [Reader] accepts by default, in bytes after decompression: 256 MiB.
const DefaultMaxPage = 256 << 20

// Reader reads records of one type from Parquet files. The zero value is ready; it holds no state, so that one Reader
// serves any number of goroutines.
type Reader[T dataset.Record] struct {
	// MaxPage is the largest page accepted, in bytes after decompression and in values. At a time a reader holds a page and
	// a dictionary (a page, too) of each column that it reads, whatever the size of a row group; writers cut pages at 1 MiB
	// or so, a longer text apart. 0 means DefaultMaxPage; a negative value is an error.
	MaxPage int
}

// Pairs reads preference pairs, as Open[dataset.Pair] does:
//
//	for p, err := range parquet.Pairs("train-00000-of-00002.parquet", "train-00001-of-00002.parquet") { … }
func Pairs(paths ...string) iter.Seq2[dataset.Pair, error] { return Open[dataset.Pair](paths...) }

// Open reads records from files, one after another, by a [Reader] with default settings.
func Open[T dataset.Record](paths ...string) iter.Seq2[T, error] { return Reader[T]{}.Open(paths...) }

// Read reads records from r by a [Reader] with default settings.
func Read[T dataset.Record](r io.ReaderAt, size int64, name string) iter.Seq2[T, error] {
	return Reader[T]{}.Read(r, size, name)
}

// Open returns the records of the files, in order. Each range over the sequence opens the files anew. See [Glob] for the
// shards of a data set.
//
// Every error is a [*dataset.Error]. After the error of a row the sequence goes on with the next one; after an error of a
// file (no row: a column is missing or of the wrong type; with a row: the kinds [dataset.Truncated], [dataset.Corrupt] and
// [dataset.ReadFailed]) with the next file. The record beside an error is the zero value. See [dataset.Usable] for the
// usual policy.
func (rd Reader[T]) Open(paths ...string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, path := range paths {
			if !rd.path(path, yield) {
				return
			}
		}
	}
}

// path reads one file; it reports whether to go on with the next one.
func (rd Reader[T]) path(path string, yield func(T, error) bool) bool {
	f, err := os.Open(path)
	if err != nil {
		return refuse(yield, &dataset.Error{Kind: dataset.ReadFailed, Err: errors.Unwrap(err)}, dataset.Position{File: path})
	}
	defer f.Close() // only read: nothing is lost if this fails
	info, err := f.Stat()
	if err != nil {
		return refuse(yield, &dataset.Error{Kind: dataset.ReadFailed, Err: errors.Unwrap(err)}, dataset.Position{File: path})
	}
	return rd.file(f, info.Size(), path, yield)
}

// Read returns the records of one file of the given size, under a name for messages. It is as Open is. It
// panics if r is nil.
func (rd Reader[T]) Read(r io.ReaderAt, size int64, name string) iter.Seq2[T, error] {
	if r == nil {
		panic("parquet: nil io.ReaderAt")
	}
	return func(yield func(T, error) bool) { rd.file(r, size, name, yield) }
}

// refuse delivers an error.
func refuse[T any](yield func(T, error) bool, err *dataset.Error, at dataset.Position) bool {
	var none T
	return yield(none, located(err, at))
}

func (rd Reader[T]) file(r io.ReaderAt, size int64, name string, yield func(T, error) bool) bool {
	at := dataset.Position{File: name}
	maxPage := min(rd.MaxPage, math.MaxInt32)
	if maxPage == 0 {
		maxPage = DefaultMaxPage
	}
	if maxPage < 0 {
		err := fmt.Errorf("Reader.MaxPage is %d, must not be negative", rd.MaxPage)
		return refuse(yield, &dataset.Error{Kind: dataset.ReadFailed, Err: err}, at)
	}
	f, bad := open(r, size)
	if bad != nil {
		return refuse(yield, bad, at)
	}
	columns, bad := f.columns(fieldsOf[T](), maxPage)
	if bad != nil {
		return refuse(yield, bad, at)
	}
	defer leaves(columns, (*leaf).close)
	for group := range f.RowGroups() {
		leaves(columns, func(l *leaf) { l.open(f, group) })
		ok, err := rows(columns, f.RowGroups()[group].NumRows(), &at, yield)
		if !ok {
			return false
		}
		if err != nil {
			return refuse(yield, f.in.broken(err), at)
		}
	}
	return true
}

// rows delivers the rows of a row group, at being where the one before them stands. It reports whether to go on, and why
// the file cannot be read any further, at then being where that happened.
func rows[T dataset.Record](columns []column, n int64, at *dataset.Position, yield func(T, error) bool) (ok bool, err error) {
	cells := make([]cell, len(columns))
	for range n {
		at.Line++
		var bad *dataset.Error
		for i := range columns {
			wrong, err := columns[i].read(&cells[i])
			if err != nil {
				return true, err
			}
			if bad == nil {
				bad = wrong
			}
		}
		if bad != nil {
			ok = refuse(yield, bad, *at)
		} else {
			record, err := load[T](cells, *at)
			ok = yield(record, err)
		}
		if !ok {
			return false, nil
		}
	}
	leaves(columns, func(l *leaf) {
		if _, more := l.next(); more && err == nil {
			err = errMore
		} else if err == nil {
			err = l.err
		}
	})
	if err != nil {
		at.Line++
	}
	return true, err
}

var errMore = errors.New("a column goes on after the last row")
