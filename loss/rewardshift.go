package loss

import "encoding/json"

// ShiftOf says over which rewards the mean of a [RewardShift] is taken, where published
// implementations of one method disagree. It has no default.
type ShiftOf uint8

const (
	Pooled   ShiftOf = iota + 1 // the mean over all replies, as TRL: moves with the share of desirable ones
	Balanced                    // ½(mean over desirable + mean over undesirable), whatever their shares
)

// RewardShift is the running reward shift δ of [BCOUnpaired]: means of implicit rewards over
// all replies so far. The zero value has seen none. It encodes as JSON, for checkpoints, and
// is not safe for concurrent use.
//
// Per step: Eval with the current δ, keep UnpairedOut.Reward, and Add it once the step is
// done. Then δ is constant within a step and micro-batches do not change its gradient. TRL
// adds each micro-batch before it evaluates the loss.
type RewardShift struct {
	desirable, undesirable runningMean
}

// runningMean is a weighted mean.
type runningMean struct {
	Mean, Weight float64
}

func (m *runningMean) add(mean, weight float64) {
	if weight > 0 {
		m.Weight += weight
		m.Mean += (mean - m.Mean) * (weight / m.Weight)
	}
}

// Add takes in the rewards of a batch. A reward that is not finite is an [*InputError], and
// leaves s as it was.
func (s *RewardShift) Add(reward []float64, desirable []bool) error {
	if len(reward) != len(desirable) {
		panic(badLength)
	}
	if err := finite("Reward", reward); err != nil {
		return err
	}
	for i, r := range reward {
		if desirable[i] {
			s.desirable.add(r, 1)
		} else {
			s.undesirable.add(r, 1)
		}
	}
	return nil
}

// Merge takes in what o has seen.
func (s *RewardShift) Merge(o RewardShift) {
	s.desirable.add(o.desirable.Mean, o.desirable.Weight)
	s.undesirable.add(o.undesirable.Mean, o.undesirable.Weight)
}

// Discount multiplies the weight of all that was seen so far by keep, in [0, 1]. Once per
// step it turns the means into exponentially weighted ones, which forget an early policy.
// Another keep is a [*ParamError].
func (s *RewardShift) Discount(keep float64) error {
	if !(keep >= 0 && keep <= 1) {
		return &ParamError{"RewardShift.Discount", keep, "in [0, 1]"}
	}
	s.desirable.Weight *= keep
	s.undesirable.Weight *= keep
	return nil
}

// Delta returns δ. Where nothing was seen it is 0, and Balanced is the mean of the one kind
// where only one was seen. An of that is neither Pooled nor Balanced is a [*ParamError].
func (s *RewardShift) Delta(of ShiftOf) (float64, error) {
	d, u := s.desirable, s.undesirable
	if of == Balanced && d.Weight > 0 && u.Weight > 0 {
		d.Weight, u.Weight = 1, 1
	}
	if of != Balanced && of != Pooled {
		return 0, &ParamError{"RewardShift.Delta", float64(of), "loss.Pooled or loss.Balanced"}
	}
	var m runningMean
	m.add(d.Mean, d.Weight)
	m.add(u.Mean, u.Weight)
	return m.Mean, nil
}

// shiftJSON is the form of a RewardShift in JSON.
type shiftJSON struct {
	Desirable, Undesirable runningMean
}

// MarshalJSON implements [json.Marshaler].
func (s RewardShift) MarshalJSON() ([]byte, error) {
	return json.Marshal(shiftJSON{s.desirable, s.undesirable})
}

// UnmarshalJSON implements [json.Unmarshaler]. On an error s is as it was.
func (s *RewardShift) UnmarshalJSON(text []byte) error {
	var j shiftJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	for _, m := range []runningMean{j.Desirable, j.Undesirable} {
		if !(m.Weight >= 0) {
			return &ParamError{"RewardShift weight", m.Weight, "finite and not negative"}
		}
	}
	s.desirable, s.undesirable = j.Desirable, j.Undesirable
	return nil
}
