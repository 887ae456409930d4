package policytest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/prefgrad/prefgrad/internal/record"
	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/policytest"
)

// momentum is gradient descent with momentum ½, in the plainest way.
type momentum struct {
	host  policy.Host
	speed []float64
}

func newMomentum(h policy.Host) *momentum {
	return &momentum{h, make([]float64, len(h.Params()))}
}

func (m *momentum) Update(ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	norm := 0.0
	for _, g := range m.host.Grad() {
		norm = math.Hypot(norm, scale*g)
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return norm, errors.New("gradient is not finite")
	}
	if norm > maxNorm {
		scale *= maxNorm / norm
	}
	for i, g := range m.host.Grad() {
		m.speed[i] = m.speed[i]/2 + scale*g
		m.host.Params()[i] -= lr * m.speed[i]
	}
	clear(m.host.Grad())
	return norm, nil
}

func (m *momentum) Save(w io.Writer) error {
	return record.Write(w, "momentum", 1, record.Floats(m.host.Params()), record.Floats(m.speed))
}

func (m *momentum) Load(r io.Reader) error {
	s, err := record.Read(r, "momentum", 1)
	if err != nil {
		return err
	}
	return errors.Join(record.PutFloats(m.host.Params(), s[0]), record.PutFloats(m.speed, s[1]))
}

// updaterDefect is an updater any method of which can be wrong.
type updaterDefect struct {
	*momentum
	update func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error)
	save   func(m *momentum, w io.Writer) error
	load   func(m *momentum, r io.Reader) error
}

func (d updaterDefect) Update(ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
	if d.update != nil {
		return d.update(d.momentum, ctx, lr, scale, maxNorm)
	}
	return d.momentum.Update(ctx, lr, scale, maxNorm)
}

func (d updaterDefect) Save(w io.Writer) error {
	if d.save != nil {
		return d.save(d.momentum, w)
	}
	return d.momentum.Save(w)
}

func (d updaterDefect) Load(r io.Reader) error {
	if d.load != nil {
		return d.load(d.momentum, r)
	}
	return d.momentum.Load(r)
}

func updaterConfig(d updaterDefect) policytest.UpdaterConfig[int, int] {
	return policytest.UpdaterConfig[int, int]{
		New: func() (policy.Trainable[int, int], policy.Updater) {
			p := table()
			d.momentum = newMomentum(p)
			return p, d
		},
		X: []int{0, 1, 2}, Y: []int{1, 2, 0}, LR: 0.1,
	}
}

func TestUpdater(t *testing.T) {
	policytest.Updater(t, updaterConfig(updaterDefect{}))
	r := newRecorder()
	policytest.Updater(r, updaterConfig(updaterDefect{}))
	assert.Empty(t, r.skipped)
}

func TestBrokenUpdaters(t *testing.T) {
	entry := func(name, check string, only bool, d updaterDefect) broken {
		return broken{name, check, only, func(t testing.TB) { policytest.Updater(t, updaterConfig(d)) }}
	}
	update := func(name, check string, only bool, f func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error)) broken {
		return entry(name, check, only, updaterDefect{update: f})
	}
	inf := math.Inf(1)
	runBroken(t, []broken{
		update("uphill", "UpdateDownhill", true, func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
			return m.Update(ctx, -lr, scale, maxNorm)
		}),
		update("gradient kept", "UpdateZeroesGradient", false, func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
			g := slices.Clone(m.host.Grad())
			defer copy(m.host.Grad(), g)
			return m.Update(ctx, lr, scale, maxNorm)
		}),
		update("scale ignored", "UpdateScale", false, func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
			if scale == 0.5 {
				scale = 1
			}
			return m.Update(ctx, lr, scale, maxNorm)
		}),
		update("norm after clipping", "UpdateNormBeforeClipping", true, func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
			norm, err := m.Update(ctx, lr, scale, maxNorm)
			return min(norm, maxNorm), err
		}),
		update("never clips", "UpdateClips", true, func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
			return m.Update(ctx, lr, scale, inf)
		}),
		update("always clips to 1", "UpdateClips", false, func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
			return m.Update(ctx, lr, scale, 1)
		}),
		update("NaN is stepped over silently", "UpdateNotFinite", true, func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
			norm, err := m.Update(ctx, lr, scale, maxNorm)
			if ctx.Err() == nil {
				err = nil
			}
			return norm, err
		}),
		update("NaN reaches the parameters", "UpdateNotFinite", true, func(m *momentum, ctx context.Context, lr, scale, maxNorm float64) (float64, error) {
			norm, err := m.Update(ctx, lr, scale, maxNorm)
			if err != nil && ctx.Err() == nil {
				m.host.Params()[0] = math.NaN()
			}
			return norm, err
		}),
		update("ignores the context", "UpdateContext", true, func(m *momentum, _ context.Context, lr, scale, maxNorm float64) (float64, error) {
			return m.Update(context.Background(), lr, scale, maxNorm)
		}),
		entry("optimizer state not saved", "UpdateSaveLoad", true, updaterDefect{save: func(m *momentum, w io.Writer) error {
			return (&momentum{m.host, make([]float64, len(m.speed))}).Save(w)
		}}),
		entry("parameters saved in float32", "UpdateSaveLoad", true, updaterDefect{load: func(m *momentum, r io.Reader) error {
			before := slices.Clone(m.host.Params())
			err := m.Load(r)
			if !slices.Equal(before, m.host.Params()) {
				for i, p := range m.host.Params() {
					m.host.Params()[i] = float64(float32(p))
				}
			}
			return err
		}}),
		entry("no checksum", "UpdateLoadDamaged", true, updaterDefect{
			save: func(m *momentum, w io.Writer) error {
				_, err := w.Write(append(record.Floats(m.host.Params()), record.Floats(m.speed)...))
				return err
			},
			load: func(m *momentum, r io.Reader) error {
				b, err := io.ReadAll(r)
				if n := 8 * len(m.speed); err == nil && len(b) == 2*n {
					return errors.Join(record.PutFloats(m.host.Params(), b[:n]), record.PutFloats(m.speed, b[n:]))
				}
				return errors.New("wrong size")
			},
		}),
		entry("a damaged record changes parameters", "UpdateLoadDamaged", true, updaterDefect{load: func(m *momentum, r io.Reader) error {
			b, _ := io.ReadAll(r)
			err := m.Load(bytes.NewReader(b))
			if err != nil {
				m.host.Params()[0]++
			}
			return err
		}}),
	})
}
