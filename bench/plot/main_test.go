// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestDraw(t *testing.T) {
	all, err := read(strings.NewReader("# figures\n\nproof_bytes 10000 617\nproof_bytes 100000 730\nheap_MB 10000 27\nproof_bytes 1000000 843\n"))
	if err != nil || len(all) != 2 || len(all[0].points) != 3 {
		t.Fatalf("read: %v, %v", all, err)
	}
	var out strings.Builder
	if err := draw(&out, all); err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for d := xml.NewDecoder(strings.NewReader(out.String())); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the drawing is no XML: %v", err)
		}
		if text, ok := token.(xml.CharData); ok {
			texts[string(text)] = true
		}
	}
	for _, want := range []string{"proof bytes", "heap MB", "617", "843", "27"} {
		if !texts[want] {
			t.Errorf("the drawing does not say %q", want)
		}
	}
	if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
		t.Error("the drawing has a place that is no number")
	}
}

func TestReadRefuses(t *testing.T) {
	for _, line := range []string{"a 1", "a b c", "a 0 1", "a 1 -1", "a"} {
		if _, err := read(strings.NewReader(line)); err == nil {
			t.Errorf("%q was read", line)
		}
	}
}
