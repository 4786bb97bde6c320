package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// shownMachine is a machine with its files, which a test reads on this computer.
type shownMachine struct {
	Ref       string      `json:"ref"`
	Name      string      `json:"name"`
	PoweredOn bool        `json:"poweredOn"`
	Files     []shownFile `json:"files"`
}

type shownFile struct {
	Key  string `json:"key"`
	Path string `json:"path"`
	Disk bool   `json:"disk"`
}

type shownLease struct {
	Machine string `json:"machine"`
	Imports bool   `json:"imports"`
	// Percent is what the client told last.
	Percent int32 `json:"percent"`
}

type state struct {
	Sessions int            `json:"sessions"`
	Leases   []shownLease   `json:"leases"`
	Machines []shownMachine `json:"machines"`
}

// serveControl gives tests what no client of a host can do. It answers with the address that it listens on.
func serveControl(h *host) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", answering(func(context.Context, struct{}) (any, error) { return h.state() }))
	mux.HandleFunc("POST /machines", answering(func(ctx context.Context, order machineOrder) (any, error) {
		machine, err := h.createMachine(ctx, order)
		if err != nil {
			return nil, err
		}
		return h.shown(machine), nil
	}))
	mux.HandleFunc("POST /sessions/end", answering(func(ctx context.Context, _ struct{}) (any, error) { return nil, h.endSessions(ctx) }))
	mux.HandleFunc("POST /lease-timeout", answering(func(_ context.Context, order struct{ Seconds int }) (any, error) {
		h.leaseTimeout.Store(int64(time.Duration(order.Seconds) * time.Second))
		return nil, nil
	}))
	go func() { _ = http.Serve(listener, mux) }()
	return "http://" + listener.Addr().String(), nil
}

// answering reads an order as JSON, and writes the answer as JSON; an error is its text.
func answering[Order any](answer func(context.Context, Order) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var order Order
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		result, err := answer(r.Context(), order)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(result)
	}
}

func (h *host) state() (state, error) {
	sessions, err := h.sessions()
	now := state{Sessions: len(sessions), Leases: []shownLease{}, Machines: []shownMachine{}}
	for _, lease := range h.leases.all() {
		now.Leases = append(now.Leases, lease.shown())
	}
	for _, machine := range h.service.Context.Map.All("VirtualMachine") {
		now.Machines = append(now.Machines, h.shown(machine.(*simulator.VirtualMachine)))
	}
	return now, err
}

func (h *host) shown(machine *simulator.VirtualMachine) shownMachine {
	made := shownMachine{Ref: machine.Self.Value, Name: machine.Name, Files: []shownFile{}}
	h.context(nil).WithLock(machine, func() {
		made.PoweredOn = machine.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
		for _, file := range h.filesOf(machine, machine.Config.Hardware.Device) {
			made.Files = append(made.Files, shownFile{Key: file.key, Path: file.path, Disk: file.disk})
		}
	})
	return made
}

func (l *HttpNfcLease) shown() shownLease {
	l.lock.Lock()
	defer l.lock.Unlock()
	return shownLease{Machine: l.entity.Value, Imports: l.imports, Percent: l.TransferProgress}
}

// endSessions ends all sessions with what belongs to them, as a host does after a time without calls.
func (h *host) endSessions(ctx context.Context) error {
	sessions, err := h.sessions()
	if err != nil {
		return err
	}
	end := types.TerminateSession{This: *h.client.ServiceContent.SessionManager}
	for _, session := range sessions {
		h.leases.endOf(session.Key)
		end.SessionId = append(end.SessionId, session.Key)
	}
	_, err = methods.TerminateSession(ctx, h.client, &end)
	return err
}
