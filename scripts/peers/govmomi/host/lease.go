package main

import (
	"context"
	"crypto/rand"
	"log"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// HttpNfcLease is the right to read or write the disks of a machine. The simulator takes the name of its type for the name of the managed type.
type HttpNfcLease struct {
	mo.HttpNfcLease
	host  *host
	owner *simulator.Session
	// id stands in the addresses of the devices; who knows it needs no session.
	id string
	// imports: until the lease is completed the machine is not to stay.
	imports bool

	lock   sync.Mutex
	entity types.ManagedObjectReference
	files  []*leaseFile
	expiry *time.Timer
	// ended is done when no transfer may go on.
	ended context.Context
	end   context.CancelFunc
}

// newLease makes a lease that its session can wait for.
func (h *host) newLease(ctx *simulator.Context, imports bool) *HttpNfcLease {
	lease := &HttpNfcLease{host: h, owner: ctx.Session, id: rand.Text(), imports: imports}
	lease.State = types.HttpNfcLeaseStateInitializing
	lease.Mode = string(types.HttpNfcLeaseModePushOrGet)
	lease.ended, lease.end = context.WithCancel(context.Background())
	ctx.Session.Put(lease)
	h.leases.add(lease)
	return lease
}

func (l *HttpNfcLease) change(ctx *simulator.Context, changes ...types.PropertyChange) {
	ctx.WithLock(l, func() { ctx.Update(l, changes) })
}

// ready begins the time in which a word is expected. A lease that was given up meanwhile stays so.
func (l *HttpNfcLease) ready(entity types.ManagedObjectReference, files []*leaseFile) {
	l.lock.Lock()
	l.entity, l.files = entity, files
	over := l.ended.Err() != nil
	timeout := time.Duration(l.host.leaseTimeout.Load())
	if !over {
		l.expiry = time.AfterFunc(timeout, l.expire)
	}
	l.lock.Unlock()
	if over {
		l.removeMachine()
		return
	}
	info := &types.HttpNfcLeaseInfo{
		Lease:                 l.Self,
		Entity:                entity,
		DeviceUrl:             l.urls(files),
		TotalDiskCapacityInKB: totalKilobytes(files),
		LeaseTimeout:          int32(timeout / time.Second),
	}
	l.change(l.host.context(l.owner),
		types.PropertyChange{Name: "state", Val: types.HttpNfcLeaseStateReady},
		types.PropertyChange{Name: "info", Val: info})
}

// fail ends the lease with a reason, which can be read from it.
func (l *HttpNfcLease) fail(message string, fault types.BaseMethodFault) {
	l.stop()
	l.change(l.host.context(l.owner),
		types.PropertyChange{Name: "state", Val: types.HttpNfcLeaseStateError},
		types.PropertyChange{Name: "error", Val: &types.LocalizedMethodFault{Fault: fault, LocalizedMessage: message}})
}

func (l *HttpNfcLease) expire() {
	l.fail("The operation timed out.", new(types.Timedout))
	l.removeMachine()
}

// giveUp ends the lease without a word; what an import has made goes.
func (l *HttpNfcLease) giveUp() {
	l.stop()
	l.removeMachine()
}

// stop ends all transfers, and the wait for a word.
func (l *HttpNfcLease) stop() {
	l.end()
	l.host.leases.remove(l)
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.expiry != nil {
		l.expiry.Stop()
	}
}

func (l *HttpNfcLease) removeMachine() {
	l.lock.Lock()
	entity := l.entity
	l.lock.Unlock()
	if !l.imports || entity.Value == "" {
		return
	}
	if err := l.host.destroy(entity); err != nil {
		log.Printf("%s of a lease that was given up stays: %s", entity, err)
	}
}

func (l *HttpNfcLease) holds(machine types.ManagedObjectReference) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.entity == machine
}

// file is the one behind an address of a device.
func (l *HttpNfcLease) file(target string) *leaseFile {
	l.lock.Lock()
	defer l.lock.Unlock()
	for _, file := range l.files {
		if file.target == target {
			return file
		}
	}
	return nil
}
