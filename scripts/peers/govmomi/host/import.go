package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/ovf"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// CreateImportSpec adds what the simulator leaves out: which files the client makes, the NVRAM and the firmware.
func (c *calls) CreateImportSpec(ctx *simulator.Context, req *types.CreateImportSpec) soap.HasFault {
	answer := ctx.Map.Get(req.This).(*simulator.OvfManager).CreateImportSpec(ctx, req)
	body, ok := answer.(*methods.CreateImportSpecBody)
	if !ok || body.Res == nil {
		return answer
	}
	result := &body.Res.Returnval
	for at := range result.FileItem {
		result.FileItem[at].Create = result.FileItem[at].CimType != int32(ovf.DiskDrive)
	}
	envelope, err := ovf.Unmarshal(strings.NewReader(req.OvfDescriptor))
	if err != nil || envelope.VirtualSystem == nil {
		return answer
	}
	spec := &result.ImportSpec.(*types.VirtualMachineImportSpec).ConfigSpec
	for _, hardware := range envelope.VirtualSystem.VirtualHardware {
		for _, setting := range hardware.Config {
			if setting.Key == "firmware" {
				spec.Firmware = setting.Value
			}
		}
		for _, setting := range hardware.ExtraConfig {
			if file := fileNamed(envelope, setting.Value); setting.Key == "nvram" && file != nil {
				spec.ExtraConfig = append(spec.ExtraConfig, &types.OptionValue{Key: "nvram", Value: spec.Name + ".nvram"})
				item := types.OvfFileItem{DeviceId: fmt.Sprintf("/%s/nvram", spec.Name), Path: file.Href, Size: int64(file.Size), CimType: int32(ovf.Other), Create: true}
				result.FileItem = append(result.FileItem, item)
			}
		}
	}
	return answer
}

// fileNamed is the file of a reference such as "ovf:/file/file3".
func fileNamed(envelope *ovf.Envelope, reference string) *ovf.File {
	for at := range envelope.References {
		if reference == "ovf:/file/"+envelope.References[at].ID {
			return &envelope.References[at]
		}
	}
	return nil
}

// ImportVApp makes a machine; its disks are filled while the lease is held.
func (c *calls) ImportVApp(ctx *simulator.Context, req *types.ImportVApp) soap.HasFault {
	spec, ok := req.Spec.(*types.VirtualMachineImportSpec)
	if !ok {
		return &methods.ImportVAppBody{Fault_: simulator.Fault("A specified parameter was not correct: spec", &types.InvalidArgument{InvalidProperty: "spec"})}
	}
	folder := c.host.folders.VmFolder
	if req.Folder != nil {
		folder = object.NewFolder(c.host.client, *req.Folder)
	}
	var on *object.HostSystem
	if req.Host != nil {
		on = object.NewHostSystem(c.host.client, *req.Host)
	}
	lease := c.host.newLease(ctx, true)
	pool := object.NewResourcePool(c.host.client, req.This)
	go c.host.prepareImport(lease, func(ctx context.Context) (*object.Task, error) {
		return folder.CreateVM(ctx, spec.ConfigSpec, pool, on)
	})
	return &methods.ImportVAppBody{Res: &types.ImportVAppResponse{Returnval: lease.Self}}
}

func (h *host) prepareImport(lease *HttpNfcLease, create func(context.Context) (*object.Task, error)) {
	ctx := context.Background()
	creation, err := create(ctx)
	if err != nil {
		lease.failWith(err)
		return
	}
	info, err := creation.WaitForResult(ctx)
	if err != nil {
		lease.failWith(err)
		return
	}
	machine, _ := h.machine(info.Result.(types.ManagedObjectReference))
	lease.ready(machine.Self, h.filesOf(machine, machine.Config.Hardware.Device))
}

// failWith ends a lease with the fault behind an error.
func (l *HttpNfcLease) failWith(err error) {
	var cause types.BaseMethodFault = &types.SystemError{Reason: err.Error()}
	var failed task.Error
	if errors.As(err, &failed) {
		cause = failed.Fault()
	}
	l.fail(err.Error(), cause)
}
