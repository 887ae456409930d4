package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
)

// Fingerprint names what reference log-probabilities were computed from: "sha256:" and the first 16 bytes, in
// hexadecimal, of a hash of the model, its tokenizer and settings, and the pair's texts. "" is no fingerprint.
//
// The hash is SHA-256 of: the number of identity strings, these strings, and prompt, chosen and rejected. A string is its
// length and its UTF-8 bytes; plain text is the number 0 and a string; a conversation is the number of its messages and
// the role and content of each, as strings. A number is 8 bytes, little-endian.
type Fingerprint string

// NewFingerprint returns the fingerprint of a pair's log-probabilities. The identity is whatever they depend on besides
// the texts: the model and its revision, the tokenizer, the chat template, the longest length, the precision. Every
// string counts, and so does their order and number.
func NewFingerprint(p Pair, identity ...string) Fingerprint {
	h := sha256.New()
	hashInt(h, len(identity))
	for _, s := range identity {
		hashString(h, s)
	}
	for _, t := range []Text{p.Prompt, p.Chosen, p.Rejected} {
		hashText(h, t)
	}
	return Fingerprint("sha256:" + hex.EncodeToString(h.Sum(nil)[:16]))
}

// CheckRef returns nil if the pair's reference log-probabilities were computed from these texts under this identity,
// as [NewFingerprint] takes it. Otherwise the error is of the kind [FingerprintMismatch] and names both fingerprints, or
// of the kind [MissingField] if there are no log-probabilities or no fingerprint.
func (p Pair) CheckRef(identity ...string) error {
	switch {
	case p.Ref == nil:
		return fail(MissingField, refChosenField.String(), "").at(p.At)
	case p.Ref.Fingerprint == "":
		return fail(MissingField, fingerprintField.String(), "").at(p.At)
	}
	if want := NewFingerprint(p, identity...); p.Ref.Fingerprint != want {
		return fail(FingerprintMismatch, fingerprintField.String(), fmt.Sprintf("have %s, want %s", p.Ref.Fingerprint, want)).at(p.At)
	}
	return nil
}

// hashText feeds a text to h so that different texts, and a text and a conversation, feed different bytes.
func hashText(h hash.Hash, t Text) {
	hashInt(h, len(t.Messages))
	if !t.IsChat() {
		hashString(h, t.Plain)
		return
	}
	for _, m := range t.Messages {
		hashString(h, m.Role)
		hashString(h, m.Content)
	}
}

func hashString(h hash.Hash, s string) {
	hashInt(h, len(s))
	h.Write([]byte(s))
}

func hashInt(h hash.Hash, n int) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	h.Write(b[:])
}
