package main

import (
	"sync"

	"github.com/vmware/govmomi/vim25/types"
)

// leaseTable holds the leases that have not ended, by the name they have in addresses of devices.
type leaseTable struct {
	lock sync.Mutex
	byID map[string]*HttpNfcLease
}

func (t *leaseTable) add(lease *HttpNfcLease) {
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.byID == nil {
		t.byID = map[string]*HttpNfcLease{}
	}
	t.byID[lease.id] = lease
}

func (t *leaseTable) remove(lease *HttpNfcLease) {
	t.lock.Lock()
	defer t.lock.Unlock()
	delete(t.byID, lease.id)
}

func (t *leaseTable) find(id string) *HttpNfcLease {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.byID[id]
}

func (t *leaseTable) all() []*HttpNfcLease {
	t.lock.Lock()
	defer t.lock.Unlock()
	var leases []*HttpNfcLease
	for _, lease := range t.byID {
		leases = append(leases, lease)
	}
	return leases
}

// hold tells whether a machine is held by a lease.
func (t *leaseTable) hold(machine types.ManagedObjectReference) bool {
	for _, lease := range t.all() {
		if lease.holds(machine) {
			return true
		}
	}
	return false
}

// endOf ends the leases of a session that ends.
func (t *leaseTable) endOf(session string) {
	for _, lease := range t.all() {
		if lease.owner.Key == session {
			lease.giveUp()
		}
	}
}
