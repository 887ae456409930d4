package logits

import "fmt"

// Rows is a matrix of float32 logits: row i is Data[i·Stride : i·Stride+Vocab]. What
// lies between the rows is neither read nor written.
type Rows struct {
	Data   []float32
	N      int // number of rows
	Vocab  int // logits of a row
	Stride int // distance between the beginnings of rows; 0 means Vocab
}

// Row returns row i.
func (r Rows) Row(i int) []float32 {
	i *= r.stride()
	return r.Data[i : i+r.Vocab : i+r.Vocab]
}

func (r Rows) stride() int {
	if r.Stride == 0 {
		return r.Vocab
	}
	return r.Stride
}

// Batch is the input of [Forward] and [Gradient].
type Batch struct {
	Logits Rows    // z, the logits of p
	Ref    Rows    // the logits of q, in the same shape but for the stride; only read for the KLs
	Labels []int32 // y, one for each row, in [0, Vocab); only read for LogProb and at rows that count

	// Temperature is T, for p and for q. It must be positive and finite; 1 is the
	// model's own distribution.
	Temperature float64

	// Lengths of the sequences of a padded batch, whose row s·N/len(Lengths) + t
	// counts if t < Lengths[s]. Nil: every row counts.
	Lengths []int

	// LogZ is what Forward stored in Stats.LogZ for the same logits and temperature, or
	// nil. It saves Gradient a first look at rows where only LogProb has a weight, and
	// the checks that come with it; Forward does not use it.
	LogZ []float64

	// Workers is the number of goroutines that share the rows, at most GOMAXPROCS. 0 and 1:
	// the caller does it alone, and nothing is allocated. It changes no result.
	Workers int
}

// Stats holds one number for each row and each quantity that is wanted; nil means
// that it is not wanted. The package documentation defines the quantities.
type Stats struct {
	LogProb   []float64 // log p_y
	Entropy   []float64 // H(p), nats
	SumSq     []float64 // a logarithm: log Σ p²
	KL        []float64 // KL(p‖q), nats
	ReverseKL []float64 // KL(q‖p), nats
	LogZ      []float64 // log Σ exp(z/T)
}

// pair says whether a quantity of two distributions is among those present.
func (s *Stats) pair() bool { return s.KL != nil || s.ReverseKL != nil }

// moments says whether one that takes more than the normaliser is.
func (s *Stats) moments() bool { return s.Entropy != nil || s.SumSq != nil }

// Forward stores the wanted quantities of every row in dst, 0 at padded rows.
//
// Its errors name the row and the value ([*RowError]): a logit that is NaN or +Inf, a row without a
// finite logit, a label outside the vocabulary. Others are a temperature that is not
// positive and finite, and a length outside the padded length. dst is then unspecified. Forward
// panics if the shapes of b and dst do not fit together.
func Forward(dst Stats, b Batch) error {
	inv, err := b.check(dst, Stats{})
	if err != nil {
		return err
	}
	if b.Workers > 1 {
		return b.forwardShared(dst, inv)
	}
	for i := range b.Logits.N {
		if err := b.forward(i, &dst, inv); err != nil {
			return err
		}
	}
	return nil
}

// forward is Forward for row i.
func (b *Batch) forward(i int, dst *Stats, inv float64) error {
	if b.padded(i) {
		dst.store(i, &moments{}, 0)
		return nil
	}
	_, err := b.forwardRow(i, dst, &Stats{}, inv)
	return err
}

// RowError says which row cannot be computed, and why.
type RowError struct {
	Row int
	Err error
}

func (e *RowError) Error() string { return fmt.Sprintf("logits: row %d: %v", e.Row, e.Err) }

// Unwrap returns the reason.
func (e *RowError) Unwrap() error { return e.Err }

// SumSequences stores the sum of the rows of each sequence of a padded batch in dst:
// dst[s] = Σ_{t < lengths[s]} v[s·L + t], where L = len(v)/len(lengths). Padded
// entries are not read.
func SumSequences(dst, v []float64, lengths []int) {
	if len(dst) != len(lengths) || len(lengths) == 0 && len(v) > 0 || len(lengths) > 0 && len(v)%len(lengths) != 0 {
		panic(badShape)
	}
	for s, n := range lengths {
		longest := len(v) / len(lengths)
		sum := 0.0
		for _, x := range v[s*longest : s*longest+n] {
			sum += x
		}
		dst[s] = sum
	}
}

const (
	badShape  = "logits: slices of different lengths"
	badLabels = "logits: LogProb without labels"
	badRef    = "logits: KL without reference logits of the same shape"
)

// check panics on shapes that do not fit, and returns 1/T.
func (b *Batch) check(dst, w Stats) (inv float64, err error) {
	n := b.Logits.N
	b.Logits.check()
	for _, s := range [...][]float64{
		dst.LogProb, dst.Entropy, dst.SumSq, dst.KL, dst.ReverseKL, dst.LogZ,
		w.LogProb, w.Entropy, w.SumSq, w.KL, w.ReverseKL, w.LogZ, b.LogZ,
	} {
		if s != nil && len(s) != n {
			panic(badShape)
		}
	}
	if (dst.LogProb != nil || w.LogProb != nil) && len(b.Labels) != n {
		panic(badLabels)
	}
	if dst.pair() || w.pair() {
		if b.Ref.N != n || b.Ref.Vocab != b.Logits.Vocab {
			panic(badRef)
		}
		b.Ref.check()
	}
	if inv = 1 / b.Temperature; !(inv > 0 && inv*0 == 0 && b.Temperature*0 == 0) {
		return 0, fmt.Errorf("logits: Temperature is %v, must be positive and finite", b.Temperature)
	}
	if b.Lengths != nil {
		if len(b.Lengths) == 0 && n > 0 || len(b.Lengths) > 0 && n%len(b.Lengths) != 0 {
			panic(badShape)
		}
		for s, l := range b.Lengths {
			if longest := n / len(b.Lengths); l < 0 || l > longest {
				return 0, fmt.Errorf("logits: Lengths[%d] is %d, outside [0, %d]", s, l, longest)
			}
		}
	}
	return inv, nil
}

func (r Rows) check() {
	if r.N < 0 || r.Vocab < 1 || r.stride() < r.Vocab || r.N > 0 && len(r.Data) < (r.N-1)*r.stride()+r.Vocab {
		panic("logits: Rows do not fit their data")
	}
}

// padded says whether row i lies beyond the length of its sequence.
func (b *Batch) padded(i int) bool {
	if b.Lengths == nil {
		return false
	}
	longest := b.Logits.N / len(b.Lengths)
	return i%longest >= b.Lengths[i/longest]
}
