package parquet

import (
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/prefgrad/prefgrad/dataset"
)

// Glob returns the files that match the patterns (see [filepath.Match]): those of the first pattern in lexical order, so
// that train-00000-of-00002.parquet comes before train-00001-of-00002.parquet, then those of the second, and so on. A
// pattern that matches no file, or is malformed, is an error of the kind [dataset.ReadFailed]; a path without
// metacharacters is a pattern, too.
func Glob(patterns ...string) ([]string, error) {
	var paths []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err == nil && len(found) == 0 {
			err = fs.ErrNotExist
		}
		if err != nil {
			return nil, &dataset.Error{File: pattern, Kind: dataset.ReadFailed, Err: err}
		}
		slices.Sort(found)
		paths = append(paths, found...)
	}
	return paths, nil
}
