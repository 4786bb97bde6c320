package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// calls answers, for all objects, what the simulator does not answer, or not as a host does. It is made of a type of the API, first, since the searches of the
// simulator look into each object.
type calls struct {
	mo.ExtensionManager
	host *host
}

func (h *host) registerCalls(registry *simulator.Registry) {
	h.calls = &calls{host: h}
	h.calls.Self = types.ManagedObjectReference{Type: "ExtensionOfHost", Value: "extension"}
	registry.Put(h.calls)
	registry.Handler = h.redirect
}

// answered by calls, by a method of this name.
var answered = map[string]bool{
	"ExportVm":         true,
	"ExportSnapshot":   true,
	"ImportVApp":       true,
	"CreateImportSpec": true,
	"CreateDescriptor": true,
	"ParseDescriptor":  true,
}

// refused while a lease holds the machine.
var refused = map[string]bool{"PowerOnVM_Task": true, "Destroy_Task": true, "UnregisterVM": true}

// redirect is asked before each call. The simulator looks up what a call is on only afterwards, so another object can be put there; the request still names the
// first one. (What is returned here would not be used for a session.)
func (h *host) redirect(ctx *simulator.Context, method *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	switch {
	case refused[method.Name] && h.leases.hold(method.This):
		return nil, new(types.InvalidState)
	case method.Name == "Logout" && ctx.Session != nil:
		h.leases.endOf(ctx.Session.Key)
	case method.Name == "WaitForUpdatesEx":
		showNewFilters(ctx, method.This)
	case answered[method.Name] && ctx.Map.Get(method.This) != nil:
		method.This = h.calls.Self
	}
	return nil, nil
}

// showNewFilters makes a wait tell what filters show that came since the last one, as hosts do. The simulator looks at them only when something changes.
func showNewFilters(ctx *simulator.Context, collector types.ManagedObjectReference) {
	if ctx.Session == nil {
		return
	}
	if found, ok := ctx.Session.Get(collector).(*simulator.PropertyCollector); ok {
		found.UpdateObject(ctx, collector, nil)
	}
}
