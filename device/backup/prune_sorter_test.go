// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func TestSorter(t *testing.T) {
	for _, test := range []struct {
		name           string
		count, room    int
		values         int // how many different ones
		files, atMostN int
	}{
		{"none", 0, 8, 1, 0, 0},
		{"in memory", 100, 1 << 20, 60, 0, 0},
		{"in files", 1000, 50, 700, 1, sorterFiles},
		{"merged in between", 5000, 10, 4000, 1, sorterFiles},
		{"all alike", 500, 10, 1, 1, sorterFiles},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			s := newSorter(dir, 5)
			s.room = test.room / 5 * 5
			if test.room < 5 {
				s.room = 5
			}
			want := fill(t, s, test.count, test.values)
			if len(s.files) < min(test.files, test.count) || len(s.files) > test.atMostN {
				t.Errorf("%d files", len(s.files))
			}
			for range 2 {
				if got := drain(t, s); !slices.EqualFunc(got, want, bytes.Equal) {
					t.Fatalf("%d records, want %d", len(got), len(want))
				}
			}
			s.close()
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 0 {
				t.Errorf("%d files are left: %v", len(left), err)
			}
		})
	}
}

// fill adds records and returns what must come out.
func fill(t *testing.T, s *sorter, count, values int) [][]byte {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]bool{}
	var want [][]byte
	for range count {
		n := random.IntN(values)
		record := []byte{byte(n), byte(n >> 8), 7, byte(n), 9}
		check(t, s.add(record))
		if !seen[string(record)] {
			want = append(want, bytes.Clone(record))
		}
		seen[string(record)] = true
	}
	slices.SortFunc(want, bytes.Compare)
	return want
}

func drain(t *testing.T, s *sorter) [][]byte {
	t.Helper()
	var got [][]byte
	for record, err := range s.sorted() {
		check(t, err)
		got = append(got, bytes.Clone(record))
	}
	return got
}

func TestSorterStopsEarly(t *testing.T) {
	s := newSorter(t.TempDir(), 5)
	defer s.close()
	s.room = 25
	fill(t, s, 100, 100)
	for range s.sorted() {
		break
	}
	if got := drain(t, s); len(got) < 30 {
		t.Errorf("%d records afterwards", len(got))
	}
}

func TestSorterSaysWhatFails(t *testing.T) {
	s := newSorter(t.TempDir()+"/not there", 5)
	s.room = 5
	if err := s.add([]byte("12345")); err == nil {
		t.Error("no error where there is no folder")
	}
	cut := newSorter(t.TempDir(), 5)
	defer cut.close()
	cut.room = 10
	for range 4 {
		check(t, cut.add([]byte("12345")))
	}
	check(t, cut.files[0].Truncate(7))
	var last error
	for _, err := range cut.sorted() {
		last = err
	}
	if last == nil {
		t.Error("no error where a file is cut off")
	}
}
