// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// Add makes d a further device of owner's account, by the long code, as a person
// does who reads it off one screen and types it into the other.
func (owner *Device) Add(d *Device, account string, flags ...string) {
	t := owner.w.T
	t.Helper()
	link := strings.TrimSpace(owner.Must("device", "link"))
	join := d.Command(append([]string{"join", "--json", "--name", account, "--device-name", d.Name, link}, flags...)...)
	var errs bytes.Buffer
	join.Stderr = &errs
	out, err := join.StdoutPipe()
	if err == nil {
		err = join.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	code := longCode(out)
	if code == "" {
		t.Fatalf("%s shows no code: %v: %s", d.Name, join.Wait(), &errs)
	}
	approve := []string{"device", "approve", code}
	if len(flags) > 0 {
		approve = append(approve, "--name", d.Name)
	}
	owner.Must(approve...)
	_, _ = io.Copy(io.Discard, out) // ends with the process
	if err := join.Wait(); err != nil {
		t.Fatalf("%s joins: %v: %s", d.Name, err, &errs)
	}
}

// longCode reads what a joining device says up to its long code.
func longCode(out io.Reader) string {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct {
			Code string `json:"long_code"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Code != "" {
			return line.Code
		}
	}
	return ""
}

// ID returns the identifier by which the account knows this device.
func (d *Device) ID() string {
	d.w.T.Helper()
	for _, line := range Lines(d.w.T, d.Must("whoami", "--json")) {
		if id, ok := line["device"].(string); ok {
			return id
		}
	}
	d.w.T.Fatalf("%s does not know who it is", d.Name)
	return ""
}
