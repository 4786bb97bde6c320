package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// ExportVm gives a lease on a machine that is switched off.
func (c *calls) ExportVm(ctx *simulator.Context, req *types.ExportVm) soap.HasFault {
	machine, ok := c.host.machine(req.This)
	if !ok {
		return &methods.ExportVmBody{Fault_: simulator.Fault("", &types.ManagedObjectNotFound{Obj: req.This})}
	}
	if state := machine.Runtime.PowerState; state != types.VirtualMachinePowerStatePoweredOff {
		fault := &types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: state}
		return &methods.ExportVmBody{Fault_: simulator.Fault("The attempted operation cannot be performed in the current state.", fault)}
	}
	lease := c.host.newLease(ctx, false)
	files := c.host.filesOf(machine, machine.Config.Hardware.Device)
	go lease.ready(machine.Self, files)
	return &methods.ExportVmBody{Res: &types.ExportVmResponse{Returnval: lease.Self}}
}

// ExportSnapshot gives a lease on the disks as a snapshot has them. The disks of this host do not change, so those are the disks of the machine.
func (c *calls) ExportSnapshot(ctx *simulator.Context, req *types.ExportSnapshot) soap.HasFault {
	snapshot := ctx.Map.Get(req.This).(*simulator.VirtualMachineSnapshot)
	machine, ok := c.host.machine(snapshot.Vm)
	if !ok {
		return &methods.ExportSnapshotBody{Fault_: simulator.Fault("", &types.ManagedObjectNotFound{Obj: snapshot.Vm})}
	}
	lease := c.host.newLease(ctx, false)
	files := c.host.filesOf(machine, snapshot.Config.Hardware.Device)
	go lease.ready(machine.Self, files)
	return &methods.ExportSnapshotBody{Res: &types.ExportSnapshotResponse{Returnval: lease.Self}}
}
