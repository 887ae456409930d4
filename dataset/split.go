package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// Part is a part of a split.
type Part uint8

const (
	Train Part = iota
	Validation
	Test
)

// String returns "train", "validation" or "test".
func (p Part) String() string {
	switch p {
	case Train:
		return "train"
	case Validation:
		return "validation"
	case Test:
		return "test"
	}
	return fmt.Sprintf("Part(%d)", uint8(p))
}

// Split divides prompts into parts by a hash, so that a prompt always lands in the same part: whatever the order of the
// file, its other records, the machine or the version of this package. The zero value puts everything into Train.
// A Split is immutable and safe for concurrent use.
type Split struct {
	validation, test float64 // what is left is for training
}

// NewSplit returns a split with the given fractions of prompts, which must not be negative and must sum to 1 (within 1e-9).
func NewSplit(train, validation, test float64) (Split, error) {
	for _, f := range []struct {
		part Part
		x    float64
	}{{Train, train}, {Validation, validation}, {Test, test}} {
		if !(f.x >= 0 && f.x <= 1) {
			return Split{}, fmt.Errorf("dataset: fraction of the %s part is %v, must be in [0, 1]", f.part, f.x)
		}
	}
	if sum := train + validation + test; math.Abs(sum-1) > 1e-9 {
		return Split{}, fmt.Errorf("dataset: fractions of a split sum to %v, not 1", sum)
	}
	return Split{validation: validation, test: test}, nil
}

// Part returns where a prompt belongs. With h the first 8 bytes, big-endian, of SHA-256 of the prompt's text and
// u = ⌊h/2¹¹⌋/2⁵³, uniform in [0, 1):
//
//	Test if u < test, Validation if u < test + validation, Train otherwise
//
// so that a larger training fraction takes prompts from the other parts and gives none. The text of a conversation is
// that of [PromptOnly.AsText]: a prompt in turns and the same prompt as messages land in the same part.
func (s Split) Part(prompt Text) Part {
	sum := sha256.Sum256([]byte(promptText(prompt)))
	u := float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
	switch {
	case u < s.test:
		return Test
	case u < s.test+s.validation:
		return Validation
	}
	return Train
}
