package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// machineOrder is a machine as a test wants it. Files are paths of this computer, and are copied.
type machineOrder struct {
	Name string `json:"name"`
	// Disks are streamOptimized VMDKs: what an export serves.
	Disks     []string `json:"disks"`
	Nvram     string   `json:"nvram"`
	Iso       string   `json:"iso"`
	Firmware  string   `json:"firmware"`
	PoweredOn bool     `json:"poweredOn"`
}

// place is where machines of tests are made: the first host, pool and datastore.
type place struct {
	pool      *object.ResourcePool
	datastore *object.Datastore
	network   object.NetworkReference
}

func (h *host) firstPlace(ctx context.Context) (place, error) {
	finder := find.NewFinder(h.client)
	datacenter, err := finder.DefaultDatacenter(ctx)
	if err != nil {
		return place{}, err
	}
	finder.SetDatacenter(datacenter)
	pool, poolError := finder.DefaultResourcePool(ctx)
	datastore, datastoreError := finder.DefaultDatastore(ctx)
	network, networkError := finder.Network(ctx, "VM Network")
	return place{pool, datastore, network}, errors.Join(poolError, datastoreError, networkError)
}

// createMachine makes a machine with its files.
func (h *host) createMachine(ctx context.Context, order machineOrder) (*simulator.VirtualMachine, error) {
	at, err := h.firstPlace(ctx)
	if err != nil {
		return nil, err
	}
	folder := object.DatastorePath{Datastore: at.datastore.Name(), Path: order.Name}
	if err := os.MkdirAll(h.fileOf(folder.String()), 0o700); err != nil {
		return nil, err
	}
	devices, err := h.devicesOf(ctx, order, at)
	if err != nil {
		return nil, err
	}
	changes, err := devices.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	if err != nil {
		return nil, err
	}
	for _, change := range changes {
		// The files are there.
		change.GetVirtualDeviceConfigSpec().FileOperation = ""
	}
	spec := types.VirtualMachineConfigSpec{
		Name:         order.Name,
		GuestId:      string(types.VirtualMachineGuestOsIdentifierDebian12_64Guest),
		Firmware:     order.Firmware,
		NumCPUs:      2,
		MemoryMB:     1024,
		Files:        &types.VirtualMachineFileInfo{VmPathName: h.pathIn(at, order, ".vmx")},
		DeviceChange: changes,
	}
	if order.Nvram != "" {
		spec.ExtraConfig = append(spec.ExtraConfig, &types.OptionValue{Key: "nvram", Value: order.Name + ".nvram"})
		if err := copyFile(order.Nvram, h.fileOf(h.pathIn(at, order, ".nvram"))); err != nil {
			return nil, err
		}
	}
	task, err := h.folders.VmFolder.CreateVM(ctx, spec, at.pool, nil)
	if err != nil {
		return nil, err
	}
	return h.started(ctx, task, order.PoweredOn)
}

func (h *host) started(ctx context.Context, task *object.Task, powerOn bool) (*simulator.VirtualMachine, error) {
	info, err := task.WaitForResult(ctx)
	if err != nil {
		return nil, err
	}
	machine, _ := h.machine(info.Result.(types.ManagedObjectReference))
	if !powerOn {
		return machine, nil
	}
	on, err := object.NewVirtualMachine(h.client, machine.Self).PowerOn(ctx)
	if err != nil {
		return nil, err
	}
	return machine, on.Wait(ctx)
}

func (h *host) pathIn(at place, order machineOrder, ending string) string {
	file := object.DatastorePath{Datastore: at.datastore.Name(), Path: path.Join(order.Name, order.Name+ending)}
	return file.String()
}

func (h *host) devicesOf(ctx context.Context, order machineOrder, at place) (object.VirtualDeviceList, error) {
	var devices object.VirtualDeviceList
	controller, err := devices.CreateSCSIController("pvscsi")
	if err != nil {
		return nil, err
	}
	devices = append(devices, controller)
	for number, file := range order.Disks {
		name := h.pathIn(at, order, fmt.Sprintf("_%d.vmdk", number))
		if err := copyFile(file, h.fileOf(name)); err != nil {
			return nil, err
		}
		disk := devices.CreateDisk(controller.(types.BaseVirtualController), at.datastore.Reference(), name)
		if disk.CapacityInBytes, err = capacityOf(file); err != nil {
			return nil, err
		}
		disk.CapacityInKB = disk.CapacityInBytes / 1024
		devices = append(devices, disk)
	}
	if order.Iso != "" {
		name := h.pathIn(at, order, ".iso")
		if err := copyFile(order.Iso, h.fileOf(name)); err != nil {
			return nil, err
		}
		// Every machine has this controller from the beginning.
		ide := &types.VirtualIDEController{VirtualController: types.VirtualController{VirtualDevice: types.VirtualDevice{Key: 200}}}
		drive, err := devices.CreateCdrom(ide)
		if err != nil {
			return nil, err
		}
		devices = append(devices, devices.InsertIso(drive, name))
	}
	backing, err := at.network.EthernetCardBackingInfo(ctx)
	if err != nil {
		return nil, err
	}
	card, err := devices.CreateEthernetCard("vmxnet3", backing)
	return append(devices, card), err
}

// capacityOf reads the header of a sparse VMDK. Source: "Virtual Disk Format 5.0", VMware, SparseExtentHeader.
func capacityOf(file string) (int64, error) {
	in, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	header := make([]byte, 20)
	if _, err := io.ReadFull(in, header); err != nil || string(header[:4]) != "KDMV" {
		return 0, fmt.Errorf("%s: %w", file, errInvalidHeader)
	}
	return int64(binary.LittleEndian.Uint64(header[12:])) * 512, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
