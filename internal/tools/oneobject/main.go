// Command oneobject reads standard input, which must be exactly one JSON object with
// the keys given as arguments, and fails otherwise.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := check(os.Stdin, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "oneobject:", err)
		os.Exit(1)
	}
}

func check(r io.Reader, keys []string) error {
	d := json.NewDecoder(r)
	var object map[string]json.RawMessage
	if err := d.Decode(&object); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the object")
	}
	for _, key := range keys {
		if _, ok := object[key]; !ok {
			return fmt.Errorf("no key %q", key)
		}
	}
	return nil
}
