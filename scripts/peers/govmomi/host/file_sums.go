package main

import (
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// fileSums is what is known of the bytes of a file.
type fileSums struct {
	size         int64
	sha1, sha256 string
}

// summing makes sums of what is written to it.
type summing struct {
	sha1, sha256 hash.Hash
	size         int64
}

func newSumming() *summing {
	return &summing{sha1: sha1.New(), sha256: sha256.New()}
}

func (s *summing) Write(part []byte) (int, error) {
	_, _ = s.sha1.Write(part)
	_, _ = s.sha256.Write(part)
	s.size += int64(len(part))
	return len(part), nil
}

func (s *summing) sums() *fileSums {
	return &fileSums{size: s.size, sha1: fmt.Sprintf("%x", s.sha1.Sum(nil)), sha256: fmt.Sprintf("%x", s.sha256.Sum(nil))}
}

// sumCache keeps the sums of files as they are now, so that a measurement does not measure them.
type sumCache struct {
	lock   sync.Mutex
	byPath map[string]cachedSums
}

type cachedSums struct {
	modified time.Time
	sums     *fileSums
}

func (c *sumCache) get(path string, info os.FileInfo) *fileSums {
	c.lock.Lock()
	defer c.lock.Unlock()
	cached := c.byPath[path]
	if cached.sums == nil || cached.sums.size != info.Size() || !cached.modified.Equal(info.ModTime()) {
		return nil
	}
	return cached.sums
}

func (c *sumCache) put(path string, info os.FileInfo, sums *fileSums) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.byPath == nil {
		c.byPath = map[string]cachedSums{}
	}
	c.byPath[path] = cachedSums{modified: info.ModTime(), sums: sums}
}

func (f *leaseFile) setPassed(sums *fileSums) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.passed = sums
}

// manifestEntry is nothing as long as the file has not passed whole.
func (f *leaseFile) manifestEntry() *types.HttpNfcLeaseManifestEntry {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.passed == nil {
		return nil
	}
	return &types.HttpNfcLeaseManifestEntry{
		Key:          f.key,
		Sha1:         f.passed.sha1,
		Checksum:     f.passed.sha256,
		ChecksumType: "sha256",
		Size:         f.passed.size,
		Disk:         f.disk,
		Capacity:     f.capacity,
	}
}

// sizeToTell: a host knows the size of a file that is no disk only.
func (f *leaseFile) sizeToTell() int64 {
	info, err := os.Stat(f.path)
	if f.disk || err != nil {
		return 0
	}
	return info.Size()
}
