// Package disk keeps what a served model was asked and answered in a file, as a
// served.Cache. It is a module of its own, so that nobody who scores without it depends on
// its store, bbolt, a B+ tree in one file.
//
// # Promises
//
// What [Cache.Put] has returned from survives the end of the process and of the machine.
// A file serves one process at a time, and one model: see served.ErrFingerprint. A run of
// a million pairs writes about 200 bytes for each reply, a few times that for draws of
// some hundred tokens.
//
// The files hold the log-probabilities, and the texts of draws, in the clear; prompts and
// scored texts are there only as SHA-256 hashes.
package disk

import (
	"bytes"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/prefgrad/prefgrad/policy/served"
)

// Cache is a served.Cache in a file. It is safe for concurrent use. Make one with [Open].
type Cache struct {
	db *bbolt.DB
}

var _ served.Cache = (*Cache)(nil)

var (
	items          = []byte("items")
	meta           = []byte("meta")
	formatKey      = []byte("format")
	fingerprintKey = []byte("fingerprint")
	format         = []byte("prefgrad served cache 1")
)

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = time.Second

// Open opens the cache at path, and makes the file if there is none. A file of another
// kind, or one that another process uses, is an error.
func Open(path string) (*Cache, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait})
	if err != nil {
		return nil, fmt.Errorf("disk: %s: %w", path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(meta)
		if b == nil {
			if k, _ := tx.Cursor().First(); k != nil {
				return fmt.Errorf("not a cache: it has a bucket %q", k)
			}
			if b, err = tx.CreateBucket(meta); err != nil {
				return err
			}
			if err := b.Put(formatKey, format); err != nil {
				return err
			}
		}
		if got := b.Get(formatKey); !bytes.Equal(got, format) {
			return fmt.Errorf("not a cache of this format: %q, want %q", got, format)
		}
		_, err := tx.CreateBucketIfNotExists(items)
		return err
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("disk: %s: %w", path, err)
	}
	return &Cache{db}, nil
}

// Fingerprint implements served.Cache.
func (c *Cache) Fingerprint() ([]byte, error) { return c.get(meta, fingerprintKey) }

// SetFingerprint implements served.Cache.
func (c *Cache) SetFingerprint(fp []byte) error { return c.put(meta, fingerprintKey, fp) }

// Get implements served.Cache.
func (c *Cache) Get(key []byte) ([]byte, error) { return c.get(items, key) }

// Put implements served.Cache. Calls at the same time share one write to the disk.
func (c *Cache) Put(key, value []byte) error { return c.put(items, key, value) }

// Len returns the number of scores and draws.
func (c *Cache) Len() (int, error) {
	n := 0
	err := c.db.View(func(tx *bbolt.Tx) error {
		n = tx.Bucket(items).Stats().KeyN
		return nil
	})
	return n, err
}

// Close lets go of the file.
func (c *Cache) Close() error { return c.db.Close() }

func (c *Cache) get(bucket, key []byte) (value []byte, err error) {
	err = c.db.View(func(tx *bbolt.Tx) error {
		value = bytes.Clone(tx.Bucket(bucket).Get(key)) // the original is gone with the transaction
		return nil
	})
	return value, err
}

func (c *Cache) put(bucket, key, value []byte) error {
	return c.db.Batch(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
}
