// Package safetensors reads and writes tensors in the format of that name: eight bytes
// of length, a JSON object that gives each tensor's type, shape and place, and the bytes
// of the tensors, little-endian and row by row.
package safetensors
