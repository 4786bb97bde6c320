package main

import (
	_ "embed"
	"encoding/xml"
	"fmt"
	"strings"
	"text/template"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/ovf"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

//go:embed descriptor.xml.tmpl
var descriptorText string

var descriptorTemplate = template.Must(template.New("descriptor").Funcs(template.FuncMap{"xml": escaped}).Parse(descriptorText))

func escaped(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text))
	return out.String()
}

// CreateDescriptor describes a machine, or a snapshot of it, with the files and the sizes that the client gives.
func (c *calls) CreateDescriptor(ctx *simulator.Context, req *types.CreateDescriptor) soap.HasFault {
	machine, ok := c.host.machine(req.Obj)
	if !ok {
		return &methods.CreateDescriptorBody{Fault_: simulator.Fault("", &types.ManagedObjectNotFound{Obj: req.Obj})}
	}
	config := machine.Config
	if req.Cdp.Snapshot != nil {
		snapshot, ok := ctx.Map.Get(*req.Cdp.Snapshot).(*simulator.VirtualMachineSnapshot)
		if !ok {
			return &methods.CreateDescriptorBody{Fault_: simulator.Fault("", &types.ManagedObjectNotFound{Obj: *req.Cdp.Snapshot})}
		}
		config = &snapshot.Config
	}
	result := types.OvfCreateDescriptorResult{IncludeImageFiles: req.Cdp.IncludeImageFiles}
	described, unknown := c.host.describe(machine, config, &req.Cdp)
	for _, id := range unknown {
		result.Error = append(result.Error, types.LocalizedMethodFault{
			Fault:            new(types.OvfExport),
			LocalizedMessage: fmt.Sprintf("%s has no device %s.", machine.Name, id),
		})
	}
	var text strings.Builder
	if err := descriptorTemplate.Execute(&text, described); err != nil {
		return &methods.CreateDescriptorBody{Fault_: simulator.Fault(err.Error(), new(types.OvfExport))}
	}
	result.OvfDescriptor = text.String()
	return &methods.CreateDescriptorBody{Res: &types.CreateDescriptorResponse{Returnval: result}}
}

// ParseDescriptor tells what a client asks before it imports: name, networks and sizes.
func (c *calls) ParseDescriptor(_ *simulator.Context, req *types.ParseDescriptor) soap.HasFault {
	var result types.OvfParseDescriptorResult
	envelope, err := ovf.Unmarshal(strings.NewReader(req.OvfDescriptor))
	if err != nil || envelope.VirtualSystem == nil {
		fault := types.LocalizedMethodFault{Fault: new(types.OvfXmlFormat), LocalizedMessage: fmt.Sprintf("Not a descriptor of one machine: %v.", err)}
		result.Error = append(result.Error, fault)
		return &methods.ParseDescriptorBody{Res: &types.ParseDescriptorResponse{Returnval: result}}
	}
	result.DefaultEntityName = envelope.VirtualSystem.ID
	if name := envelope.VirtualSystem.Name; name != nil {
		result.DefaultEntityName = *name
	}
	if envelope.Network != nil {
		for _, network := range envelope.Network.Networks {
			result.Network = append(result.Network, types.OvfNetworkInfo{Name: network.Name, Description: network.Description})
		}
	}
	for _, file := range envelope.References {
		result.ApproximateDownloadSize += int64(file.Size)
	}
	return &methods.ParseDescriptorBody{Res: &types.ParseDescriptorResponse{Returnval: result}}
}

// description is what the template of a descriptor is filled with.
type description struct {
	Name, Description, GuestID, HardwareVersion, Firmware string
	Processors, MemoryMB                                  int32
	Files                                                 []describedFile
	Disks                                                 []describedDisk
	Networks                                              []string
	Items                                                 []describedItem
	// Nvram is the ID of its file.
	Nvram string
}

type describedFile struct {
	ID, Path string
	Size     int64
}

type describedDisk struct {
	ID, File            string
	Capacity, Populated int64
}

// describe also gives the IDs of devices that the client names and the machine has not.
func (h *host) describe(machine *simulator.VirtualMachine, config *types.VirtualMachineConfigInfo, cdp *types.OvfCreateDescriptorParams) (description, []string) {
	made := description{
		Name:            machine.Name,
		Description:     cdp.Description,
		GuestID:         config.GuestId,
		HardwareVersion: config.Version,
		Firmware:        config.Firmware,
		Processors:      config.Hardware.NumCPU,
		MemoryMB:        config.Hardware.MemoryMB,
	}
	if cdp.Name != "" {
		made.Name = cdp.Name
	}
	files := map[string]types.OvfFile{}
	ids := map[string]string{}
	for at, file := range cdp.OvfFiles {
		id := fmt.Sprintf("file%d", at+1)
		files[file.DeviceId], ids[file.DeviceId] = file, id
		made.Files = append(made.Files, describedFile{ID: id, Path: file.Path, Size: file.Size})
	}
	known := map[string]bool{}
	for _, file := range h.filesOf(machine, config.Hardware.Device) {
		known[file.key] = true
		if file.disk {
			given := files[file.key]
			id := fmt.Sprintf("vmdisk%d", len(made.Disks)+1)
			made.Disks = append(made.Disks, describedDisk{ID: id, File: ids[file.key], Capacity: file.capacity, Populated: given.PopulatedSize})
		}
	}
	made.Nvram = ids[fileKey(machine, "nvram")]
	made.Items, made.Networks = itemsOf(machine, object.VirtualDeviceList(config.Hardware.Device), ids)
	var unknown []string
	for _, file := range cdp.OvfFiles {
		if !known[file.DeviceId] {
			unknown = append(unknown, file.DeviceId)
		}
	}
	return made, unknown
}
