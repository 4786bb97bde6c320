package main

import (
	"fmt"
	"net/url"
	"path"
	"sync"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// leaseFile is a file of a machine that a lease gives access to.
type leaseFile struct {
	// key is how the machine calls it, importKey how an import specification does.
	key, importKey string
	// target is the file name that a host proposes, and the end of the address.
	target string
	// path is where its bytes are, on this computer.
	path string
	disk bool
	// capacity of a disk, in bytes.
	capacity int64

	lock   sync.Mutex
	passed *fileSums
}

// filesOf lists disks, then images of drives, then the NVRAM if there is any in use.
func (h *host) filesOf(machine *simulator.VirtualMachine, devices object.VirtualDeviceList) []*leaseFile {
	var disks, images []*leaseFile
	for _, device := range devices {
		backing, ok := device.GetVirtualDevice().Backing.(types.BaseVirtualDeviceFileBackingInfo)
		if !ok {
			continue
		}
		name := backing.GetVirtualDeviceFileBackingInfo().FileName
		file := &leaseFile{key: fileKey(machine, slotOf(devices, device)), path: h.fileOf(name)}
		if disk, ok := device.(*types.VirtualDisk); ok {
			file.importKey, file.target = importKey(machine, "disk", len(disks)), fmt.Sprintf("disk-%d.vmdk", len(disks))
			file.disk, file.capacity = true, disk.CapacityInKB*1024
			disks = append(disks, file)
		} else {
			file.importKey, file.target = importKey(machine, devices.Type(device), len(images)), path.Base(name)
			images = append(images, file)
		}
	}
	files := append(disks, images...)
	if name := nvramOf(machine); name != "" {
		folder := path.Dir(h.fileOf(machine.Config.Files.VmPathName))
		nvram := &leaseFile{key: fileKey(machine, "nvram"), importKey: fmt.Sprintf("/%s/nvram", machine.Name), target: name, path: path.Join(folder, name)}
		files = append(files, nvram)
	}
	return files
}

func fileKey(machine *simulator.VirtualMachine, slot string) string {
	return fmt.Sprintf("/%s/%s", machine.Self.Value, slot)
}

// importKey is how the simulator's CreateImportSpec calls a file.
func importKey(machine *simulator.VirtualMachine, kind string, number int) string {
	return fmt.Sprintf("/%s/%s:%d", machine.Name, kind, number)
}

// slotOf is where a device is, as hosts write it: "ParaVirtualSCSIController0:1".
func slotOf(devices object.VirtualDeviceList, device types.BaseVirtualDevice) string {
	at := device.GetVirtualDevice()
	unit := int32(0)
	if at.UnitNumber != nil {
		unit = *at.UnitNumber
	}
	controller, ok := devices.FindByKey(at.ControllerKey).(types.BaseVirtualController)
	if !ok {
		return devices.Name(device)
	}
	kind := devices.TypeName(controller.(types.BaseVirtualDevice))
	return fmt.Sprintf("%s%d:%d", kind, controller.GetVirtualController().BusNumber, unit)
}

// nvramOf is the name of the file that a machine has for its NVRAM.
func nvramOf(machine *simulator.VirtualMachine) string {
	for _, option := range machine.Config.ExtraConfig {
		if value := option.GetOptionValue(); value.Key == "nvram" {
			name, _ := value.Value.(string)
			return name
		}
	}
	return ""
}

func (l *HttpNfcLease) urls(files []*leaseFile) []types.HttpNfcLeaseDeviceUrl {
	at := url.URL{Scheme: "https", Host: l.host.address.Host}
	folder := "/nfc/"
	// A host that stands alone leaves it to the client to know its name.
	if l.host.service.Context.Map.IsESX() {
		at.Host, folder = "*", "/ha-nfc/"
	}
	var urls []types.HttpNfcLeaseDeviceUrl
	for _, file := range files {
		at.Path = path.Join(folder, l.id, file.target)
		urls = append(urls, types.HttpNfcLeaseDeviceUrl{
			Key:           file.key,
			ImportKey:     file.importKey,
			Url:           at.String(),
			SslThumbprint: l.host.thumbprint,
			Disk:          types.NewBool(file.disk),
			TargetId:      file.target,
			FileSize:      file.sizeToTell(),
		})
	}
	return urls
}

func totalKilobytes(files []*leaseFile) int64 {
	var total int64
	for _, file := range files {
		total += file.capacity / 1024
	}
	return total
}
