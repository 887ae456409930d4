package train

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/prefgrad/prefgrad/internal/record"
	"github.com/prefgrad/prefgrad/policy"
)

const version = 1 // of everything that this package stores

// param is a hyperparameter with the condition that it must meet.
type param struct {
	name  string
	value float64
	ok    bool
	want  string
}

func checkParams(params ...param) error {
	for _, p := range params {
		if !p.ok || notFinite(p.value) {
			return fmt.Errorf("train: %s = %v, must be %s", p.name, p.value, p.want)
		}
	}
	return nil
}

// clip returns the norm of scale·grad and the factor on grad that makes it at most maxNorm.
// Its error is that of an update that must not happen.
func clip(ctx context.Context, grad []float64, lr, scale, maxNorm float64) (norm, factor float64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	if notFinite(lr) {
		return 0, 0, fmt.Errorf("train: learning rate %v", lr)
	}
	if !(maxNorm >= 0) {
		return 0, 0, fmt.Errorf("train: maximum norm %v of a gradient", maxNorm)
	}
	for _, g := range grad {
		norm += g * g
	}
	norm = math.Sqrt(norm) * math.Abs(scale)
	if notFinite(norm) {
		for i, g := range grad {
			if notFinite(g) {
				return norm, 0, fmt.Errorf("train: gradient[%d] = %v", i, g)
			}
		}
		return norm, 0, fmt.Errorf("train: the norm of the gradient is %v", norm)
	}
	if norm > maxNorm {
		scale *= maxNorm / norm
	}
	return norm, scale, nil
}

// load fills the slices from a record only if all of them fit. What is left of a gradient
// belongs to other parameters and is zeroed.
func load(r io.Reader, kind string, host policy.Host, dst ...[]float64) error {
	sections, err := record.Read(r, kind, version)
	if err != nil {
		return fmt.Errorf("train: %w", err)
	}
	if len(sections) != len(dst) {
		return fmt.Errorf("train: a %q record with %d sections, not %d", kind, len(sections), len(dst))
	}
	for i, d := range dst {
		if len(sections[i]) != 8*len(d) {
			return fmt.Errorf("train: section %d of the %q record has %d bytes, for %d numbers", i, kind, len(sections[i]), len(d))
		}
	}
	for i, d := range dst {
		if err := record.PutFloats(d, sections[i]); err != nil {
			return err
		}
	}
	clear(host.Grad())
	return nil
}
