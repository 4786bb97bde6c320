package main

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// unusable is why a lease answers no call: it has timed out or failed, or it is not ready.
func (l *HttpNfcLease) unusable() *soap.Fault {
	switch l.State {
	case types.HttpNfcLeaseStateReady:
		return nil
	case types.HttpNfcLeaseStateError:
		return simulator.Fault(l.Error.LocalizedMessage, l.Error.Fault.(types.BaseMethodFault))
	default:
		return simulator.Fault("The lease is not ready.", new(types.InvalidState))
	}
}

// HttpNfcLeaseProgress is the word that keeps a lease.
func (l *HttpNfcLease) HttpNfcLeaseProgress(ctx *simulator.Context, req *types.HttpNfcLeaseProgress) soap.HasFault {
	if fault := l.unusable(); fault != nil {
		return &methods.HttpNfcLeaseProgressBody{Fault_: fault}
	}
	if req.Percent < 0 || req.Percent > 100 {
		fault := simulator.Fault("A specified parameter was not correct: percent", &types.InvalidArgument{InvalidProperty: "percent"})
		return &methods.HttpNfcLeaseProgressBody{Fault_: fault}
	}
	l.lock.Lock()
	l.expiry.Reset(time.Duration(l.host.leaseTimeout.Load()))
	l.lock.Unlock()
	l.change(ctx, types.PropertyChange{Name: "transferProgress", Val: req.Percent})
	return &methods.HttpNfcLeaseProgressBody{Res: new(types.HttpNfcLeaseProgressResponse)}
}

// HttpNfcLeaseSetManifestChecksumType is taken: sums are made by SHA-1 and SHA-256 at any rate.
func (l *HttpNfcLease) HttpNfcLeaseSetManifestChecksumType(*simulator.Context, *types.HttpNfcLeaseSetManifestChecksumType) soap.HasFault {
	return &methods.HttpNfcLeaseSetManifestChecksumTypeBody{
		Fault_: l.unusable(),
		Res:    new(types.HttpNfcLeaseSetManifestChecksumTypeResponse),
	}
}

// HttpNfcLeaseGetManifest tells of each file that has passed what passed.
func (l *HttpNfcLease) HttpNfcLeaseGetManifest(*simulator.Context, *types.HttpNfcLeaseGetManifest) soap.HasFault {
	if fault := l.unusable(); fault != nil {
		return &methods.HttpNfcLeaseGetManifestBody{Fault_: fault}
	}
	res := new(types.HttpNfcLeaseGetManifestResponse)
	for _, file := range l.files {
		if entry := file.manifestEntry(); entry != nil {
			res.Returnval = append(res.Returnval, *entry)
		}
	}
	return &methods.HttpNfcLeaseGetManifestBody{Res: res}
}

// HttpNfcLeaseComplete ends the lease; the machine of an import stays.
func (l *HttpNfcLease) HttpNfcLeaseComplete(ctx *simulator.Context, req *types.HttpNfcLeaseComplete) soap.HasFault {
	if fault := l.unusable(); fault != nil {
		return &methods.HttpNfcLeaseCompleteBody{Fault_: fault}
	}
	l.stop()
	l.change(ctx, types.PropertyChange{Name: "state", Val: types.HttpNfcLeaseStateDone})
	ctx.Session.Remove(ctx, req.This)
	return &methods.HttpNfcLeaseCompleteBody{Res: new(types.HttpNfcLeaseCompleteResponse)}
}

// HttpNfcLeaseAbort ends the lease; the machine of an import goes.
func (l *HttpNfcLease) HttpNfcLeaseAbort(ctx *simulator.Context, req *types.HttpNfcLeaseAbort) soap.HasFault {
	l.giveUp()
	ctx.Session.Remove(ctx, req.This)
	return &methods.HttpNfcLeaseAbortBody{Res: new(types.HttpNfcLeaseAbortResponse)}
}
