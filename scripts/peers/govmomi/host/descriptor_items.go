package main

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/ovf"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// describedItem is a device in a descriptor.
type describedItem struct {
	ID                                                               int32
	Type                                                             ovf.CIMResourceType
	Name, SubType, AddressOnParent, Parent, HostResource, Connection string
}

// itemsOf describes the devices that a descriptor can hold, and lists the networks that they are on.
func itemsOf(machine *simulator.VirtualMachine, devices object.VirtualDeviceList, fileIDs map[string]string) ([]describedItem, []string) {
	var items []describedItem
	var networks []string
	disks := 0
	for _, device := range devices {
		item := describedItem{ID: device.GetVirtualDevice().Key, Name: devices.Name(device)}
		switch device := device.(type) {
		case *types.VirtualIDEController:
			item.Type = ovf.IdeController
		case types.BaseVirtualSCSIController:
			item.Type, item.SubType = ovf.ParallelScsiHba, scsiKind(device)
		case types.BaseVirtualEthernetCard:
			item.Type, item.SubType = ovf.EthernetAdapter, devices.TypeName(device.(types.BaseVirtualDevice))[len("Virtual"):]
			item.Connection = networkOf(machine, device)
			if !slices.Contains(networks, item.Connection) {
				networks = append(networks, item.Connection)
			}
		case *types.VirtualDisk:
			disks++
			item.Type, item.HostResource = ovf.DiskDrive, fmt.Sprintf("ovf:/disk/vmdisk%d", disks)
			item.on(device.GetVirtualDevice())
		case *types.VirtualCdrom:
			item.Type, item.SubType = ovf.CdDrive, "vmware.cdrom.iso"
			item.on(device.GetVirtualDevice())
			if id := fileIDs[fileKey(machine, slotOf(devices, device))]; id != "" {
				item.HostResource = "ovf:/file/" + id
			}
		default:
			continue
		}
		items = append(items, item)
	}
	// A reader needs a controller before what is on it.
	slices.SortStableFunc(items, func(one, other describedItem) int { return rank(one) - rank(other) })
	return items, networks
}

func rank(item describedItem) int {
	if item.Parent == "" {
		return 0
	}
	return 1
}

func (item *describedItem) on(device *types.VirtualDevice) {
	item.Parent = fmt.Sprint(device.ControllerKey)
	if device.UnitNumber != nil {
		item.AddressOnParent = fmt.Sprint(*device.UnitNumber)
	}
}

func scsiKind(controller types.BaseVirtualSCSIController) string {
	switch controller.(type) {
	case *types.ParaVirtualSCSIController:
		return "VirtualSCSI"
	case *types.VirtualLsiLogicSASController:
		return "lsilogicsas"
	case *types.VirtualBusLogicController:
		return "buslogic"
	default:
		return "lsilogic"
	}
}

func networkOf(machine *simulator.VirtualMachine, card types.BaseVirtualEthernetCard) string {
	if backing, ok := card.GetVirtualEthernetCard().Backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
		return backing.DeviceName
	}
	return "network of " + machine.Name
}
