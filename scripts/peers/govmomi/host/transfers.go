package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
)

const transferBytes = 256 << 10

var errInvalidHeader = errors.New("invalid sparse VMDK header")

// handleTransfers serves the devices of leases. The address is the ticket: no session is asked for.
func (h *host) handleTransfers(mux *http.ServeMux) {
	mux.HandleFunc("/ha-nfc/{lease}/{file}", h.serveDevice)
	mux.HandleFunc("/nfc/{lease}/{file}", h.serveDevice)
}

func (h *host) serveDevice(w http.ResponseWriter, r *http.Request) {
	lease := h.leases.find(r.PathValue("lease"))
	var file *leaseFile
	if lease != nil {
		file = lease.file(r.PathValue("file"))
	}
	switch {
	case file == nil:
		http.NotFound(w, r)
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodGet && !lease.imports:
		h.sendFile(w, lease, file)
	case r.Method == http.MethodPost && lease.imports && !file.disk:
		http.Error(w, "Cannot POST to non-disk files", http.StatusMethodNotAllowed)
	// A disk is there already and is filled by POST; any other file is made by PUT.
	case (r.Method == http.MethodPost || r.Method == http.MethodPut) && lease.imports && file.disk == (r.Method == http.MethodPost):
		h.receiveFile(w, r, lease, file)
	default:
		http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
	}
}

// endingReader reads until its context is done.
type endingReader struct {
	context.Context
	io.Reader
}

func (r endingReader) Read(part []byte) (int, error) {
	if err := r.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(part)
}

// sendFile sends without a length, as hosts do. What breaks off ends the connection, so that nobody takes it for the whole.
func (h *host) sendFile(w http.ResponseWriter, lease *HttpNfcLease, file *leaseFile) {
	in, err := os.Open(file.path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-vnd.vmware-streamVmdk")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	known := h.sums.get(file.path, info)
	made := newSumming()
	var to io.Writer = w
	if known == nil {
		to = io.MultiWriter(w, made)
	}
	if _, err := io.CopyBuffer(to, endingReader{lease.ended, in}, make([]byte, transferBytes)); err != nil {
		panic(http.ErrAbortHandler)
	}
	if known == nil {
		known = made.sums()
		h.sums.put(file.path, info, known)
	}
	file.setPassed(known)
}

func (h *host) receiveFile(w http.ResponseWriter, r *http.Request, lease *HttpNfcLease, file *leaseFile) {
	status := http.StatusOK
	if !file.disk {
		status = http.StatusCreated
	}
	if err := h.storeBody(r.Body, lease, file); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(status)
}

// storeBody puts the body in the place of the file once it has come whole.
func (h *host) storeBody(body io.Reader, lease *HttpNfcLease, file *leaseFile) error {
	from := bufio.NewReaderSize(endingReader{lease.ended, body}, transferBytes)
	if magic, _ := from.Peek(4); file.disk && string(magic) != "KDMV" {
		return errInvalidHeader
	}
	out, err := os.Create(file.path + ".part")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	sums := newSumming()
	if _, err := io.CopyBuffer(io.MultiWriter(out, sums), from, make([]byte, transferBytes)); err != nil {
		return err
	}
	if err := os.Rename(out.Name(), file.path); err != nil {
		return err
	}
	file.setPassed(sums.sums())
	return nil
}
