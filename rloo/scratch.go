package rloo

import "sync"

// scratch is working memory, kept between calls.
type scratch struct {
	value []float64
	order []ranked
}

var pool = sync.Pool{New: func() any { return new(scratch) }}
