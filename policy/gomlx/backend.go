package gomlx

import (
	"fmt"
	"os"
	"sync"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // the pure-Go backend, "go"
)

// pureGo is the configuration of the pure-Go backend that a model needs. With its
// default number of workers v0.1.2 deadlocks when several operations of a graph run at
// once; −1, as many goroutines as there is work, does not.
const pureGo = "go:parallelism=-1"

// NewBackend returns the backend that the environment variable GOMLX_BACKEND names,
// such as "xla:cuda", and without it the pure-Go backend, configured so that it does
// not deadlock. A program that wants another backend imports it, as
//
//	import _ "github.com/gomlx/gomlx/backends/default" // XLA, needs cgo
//
// and changes nothing else; set GOMLX_NO_AUTO_INSTALL=1 to keep XLA from downloading
// its plugin. One backend serves any number of models. Finalize releases it.
//
// The pure-Go backend announces its settings on the standard output, which belongs to
// the program: NewBackend sets os.Stdout to the null device meanwhile. Call it before
// other goroutines print.
func NewBackend() (compute.Backend, error) {
	config, found := os.LookupEnv(compute.ConfigEnvVar)
	if !found {
		config = pureGo
	}
	stdout.Lock()
	defer stdout.Unlock()
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		was := os.Stdout
		os.Stdout = null
		defer func() {
			os.Stdout = was
			_ = null.Close() // nothing that was written matters
		}()
	}
	b, err := compute.NewWithConfig(config)
	if err != nil {
		return nil, fmt.Errorf("gomlx: backend %q: %w", config, err)
	}
	return b, nil
}

var stdout sync.Mutex // held while os.Stdout is the null device
