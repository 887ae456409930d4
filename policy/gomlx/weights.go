package gomlx

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	g "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// weights are float32 tensors in the backend, one for each spec.
type weights struct {
	specs []spec
	t     []*tensors.Tensor // nil: not there yet, or gone
}

// upload puts a tensor of float32 or int32 into the backend.
func upload[T float32 | int32](b compute.Backend, data []T, dims ...int) (*tensors.Tensor, error) {
	t := tensors.FromFlatDataAndDimensions(data, dims...)
	if err := t.ToDevice(b, 0); err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	return t, nil
}

// download copies the values of a tensor into dst, which has its size.
func download(dst []float32, t *tensors.Tensor) error {
	err := tensors.ConstFlatData(t, func(flat []float32) { copy(dst, flat) })
	if !t.IsShared() && t.IsOnAnyDevice() {
		t.FinalizeLocal()
	}
	if err != nil {
		return fmt.Errorf("gomlx: %w", err)
	}
	return nil
}

// newWeights uploads one slice for each spec.
func newWeights(b compute.Backend, specs []spec, value func(i int) ([]float32, error)) (*weights, error) {
	w := &weights{specs: specs}
	for i, s := range specs {
		v, err := value(i)
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		if len(v) != s.size() {
			return nil, errors.Join(fmt.Errorf("gomlx: %s has %d numbers, its shape is %v", s.name, len(v), s.dims), w.close())
		}
		t, err := upload(b, v, s.dims...)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%w (%s)", err, s.name), w.close())
		}
		w.t = append(w.t, t)
	}
	return w, nil
}

// zeros returns weights of 0 with the given specs, made in the backend.
func zeros(b compute.Backend, specs []spec) (*weights, error) {
	t, err := g.CallOnceN(b, func(graph *g.Graph) []*g.Node {
		var out []*g.Node
		for _, s := range specs {
			out = append(out, g.Zeros(graph, shapes.Make(dtypes.Float32, s.dims...)))
		}
		return out
	})
	if err != nil {
		return nil, fmt.Errorf("gomlx: %w", err)
	}
	return &weights{specs, t}, nil
}

// read returns a copy of parameter i.
func (w *weights) read(i int) ([]float32, error) {
	v := make([]float32, w.specs[i].size())
	return v, download(v, w.t[i])
}

// copy returns a copy in the same backend.
func (w *weights) copy(b compute.Backend) (*weights, error) {
	return newWeights(b, w.specs, w.read)
}

// find returns the place of a parameter, or an error.
func (w *weights) find(name string) (int, error) {
	for i, s := range w.specs {
		if s.name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("gomlx: no parameter %q", name)
}

// close releases the memory in the backend. It may be called again, and on nil.
func (w *weights) close() error {
	if w == nil {
		return nil
	}
	err := release(w.t)
	w.t = nil
	return err
}

// release frees tensors now instead of when the garbage collector finds them.
func release(ts []*tensors.Tensor) error {
	var errs []error
	for _, t := range ts {
		if t != nil && t.Ok() {
			errs = append(errs, t.FinalizeAll())
		}
	}
	return errors.Join(errs...)
}

// donate gives the buffers of tensors to the next execution, which may write its results
// there. The tensors are of no use afterwards.
func donate(args []any, b compute.Backend, ts []*tensors.Tensor) ([]any, error) {
	for _, t := range ts {
		d, err := g.DonateTensorBuffer(t, b, 0)
		if err != nil {
			return nil, fmt.Errorf("gomlx: %w", err)
		}
		args = append(args, d)
	}
	return args, nil
}

// uploadInts appends vectors, for one execution, to its arguments.
func uploadInts(args []any, b compute.Backend, data ...[]int32) ([]any, error) {
	for _, v := range data {
		t, err := upload(b, v, len(v))
		if err != nil {
			return nil, err
		}
		if args, err = donate(args, b, []*tensor{t}); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func appendTensors(args []any, ts []*tensors.Tensor) []any {
	for _, t := range ts {
		args = append(args, t)
	}
	return args
}
