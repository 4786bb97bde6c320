// Command host is an ESXi host or a vCenter server for tests: govmomi's simulator with the calls it lacks.
//
// It listens on loopback, writes one line of JSON with what a client needs to know, and ends when its input does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/vmware/govmomi/simulator"
)

// announcement is the line that is written when the host can be used.
type announcement struct {
	Host       string `json:"host"`
	Port       int    `json:"port"`
	Thumbprint string `json:"thumbprint"`
	Control    string `json:"control"`
}

func main() {
	vcenter := flag.Bool("vcenter", false, "be a vCenter server instead of a host that stands alone")
	user := flag.String("user", "root", "who may log in")
	password := flag.String("password", "simulated", "the password of the user")
	flag.Parse()
	if err := run(*vcenter, url.UserPassword(*user, *password)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func newModel(vcenter bool) *simulator.Model {
	model := simulator.ESX()
	if vcenter {
		model = simulator.VPX()
		model.Cluster = 0
	}
	model.Machine = 0
	return model
}

func run(vcenter bool, account *url.Userinfo) error {
	model := newModel(vcenter)
	if err := model.Create(); err != nil {
		return err
	}
	defer model.Remove()
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	host, server, err := serve(model, certificate, account)
	if err != nil {
		return err
	}
	defer server.Close()
	control, err := serveControl(host)
	if err != nil {
		return err
	}
	line := announcement{Host: host.address.Hostname(), Port: host.port(), Thumbprint: sha256Of(certificate), Control: control}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		return err
	}
	// Whoever started it holds the other end, and may be killed.
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
