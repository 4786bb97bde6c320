package main

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"
)

// host is the simulator with everything that its extensions share.
type host struct {
	service *simulator.Service
	// client calls the service in this process, with a session of its own.
	client  *vim25.Client
	folders *object.DatacenterFolders
	account *url.Userinfo
	address *url.URL
	// thumbprint is the one that leases name.
	thumbprint string
	calls      *calls
	leases     leaseTable
	sums       sumCache
	// leaseTimeout is a time.Duration: a lease without a word for so long ends.
	leaseTimeout atomic.Int64
}

// serve starts the service on a free port of loopback.
func serve(model *simulator.Model, certificate tls.Certificate, account *url.Userinfo) (*host, *simulator.Server, error) {
	ctx := context.Background()
	service := model.Service
	client, err := vim25.NewClient(ctx, service)
	if err != nil {
		return nil, nil, err
	}
	datacenter, err := find.NewFinder(client).DefaultDatacenter(ctx)
	if err != nil {
		return nil, nil, err
	}
	folders, err := datacenter.Folders(ctx)
	if err != nil {
		return nil, nil, err
	}
	h := &host{service: service, client: client, folders: folders, account: account, thumbprint: sha1Of(certificate)}
	h.leaseTimeout.Store(int64(5 * time.Minute))
	h.registerCalls(service.Context.Map)
	service.Listen = &url.URL{Host: "127.0.0.1:0", User: account}
	service.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	service.ServeMux = http.NewServeMux()
	h.handleTransfers(service.ServeMux)
	h.handleFolder(service.ServeMux)
	server := service.NewServer()
	h.address = server.URL
	return h, server, nil
}

func (h *host) port() int {
	port, _ := strconv.Atoi(h.address.Port())
	return port
}

// context is for work that no request has asked for: locks belong to a context.
func (h *host) context(session *simulator.Session) *simulator.Context {
	return &simulator.Context{Context: context.Background(), Map: h.service.Context.Map, Session: session}
}

func (h *host) machine(ref types.ManagedObjectReference) (*simulator.VirtualMachine, bool) {
	machine, ok := h.service.Context.Map.Get(ref).(*simulator.VirtualMachine)
	return machine, ok
}

// fileOf is the file of this computer behind a path such as "[datastore1] web/web.vmdk".
func (h *host) fileOf(datastorePath string) string {
	var at object.DatastorePath
	at.FromString(datastorePath)
	for _, entity := range h.service.Context.Map.All("Datastore") {
		if datastore := entity.(*simulator.Datastore); datastore.Name == at.Datastore {
			return filepath.Join(datastore.Summary.Url, at.Path)
		}
	}
	return ""
}

// destroy removes a machine with its files.
func (h *host) destroy(ref types.ManagedObjectReference) error {
	ctx := context.Background()
	task, err := object.NewVirtualMachine(h.client, ref).Destroy(ctx)
	if err != nil {
		return err
	}
	return task.Wait(ctx)
}
