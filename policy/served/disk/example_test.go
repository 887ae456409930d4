package disk_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/prefgrad/prefgrad/policy/served/disk"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	cache, err := disk.Open(filepath.Join(dir, "reference.scores"))
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()
	// served.Config{URL: …, Cache: cache} stores and looks up by itself; this is what it does.
	if err := cache.Put([]byte("key"), []byte("value")); err != nil {
		log.Fatal(err)
	}
	value, err := cache.Get([]byte("key"))
	fmt.Println(string(value), err)
	// Output: value <nil>
}
