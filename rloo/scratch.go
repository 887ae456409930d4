package rloo

import "sync"

// scratch is working memory, kept between calls.
type scratch struct {
	value, weight []float64
	order         []ranked
	cursors       []cursor
}

var pool = sync.Pool{New: func() any { return new(scratch) }}
