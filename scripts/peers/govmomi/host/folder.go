package main

import (
	"context"
	"net/http"
	"slices"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// handleFolder asks for a login before files of datastores are served.
func (h *host) handleFolder(mux *http.ServeMux) {
	for _, method := range []string{"GET", "PUT", "POST", "DELETE"} {
		mux.HandleFunc(method+" /folder/", h.serveFolder)
	}
}

func (h *host) serveFolder(w http.ResponseWriter, r *http.Request) {
	if !h.mayRead(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="VMware HTTP server"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	h.service.ServeDatastore(w, r)
}

func (h *host) mayRead(r *http.Request) bool {
	if user, password, ok := r.BasicAuth(); ok {
		expected, _ := h.account.Password()
		return user == h.account.Username() && password == expected
	}
	cookie, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return false
	}
	sessions, err := h.sessions()
	return err == nil && slices.ContainsFunc(sessions, func(one types.UserSession) bool { return one.Key == cookie.Value })
}

// sessions lists those that are open.
func (h *host) sessions() ([]types.UserSession, error) {
	var manager mo.SessionManager
	err := property.DefaultCollector(h.client).RetrieveOne(context.Background(), *h.client.ServiceContent.SessionManager, []string{"sessionList"}, &manager)
	return manager.SessionList, err
}
