// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSameBytesFromTwoFolders: whoever builds the same source gets the same
// programs, wherever it lies.
func TestSameBytesFromTwoFolders(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	first, second := t.TempDir(), t.TempDir()
	for _, part := range []string{"cmd", "device", "protocol", "provider", "storage", "watch"} {
		CopyTree(t, filepath.Join(root, part), filepath.Join(first, part))
	}
	for _, file := range []string{"go.mod", "go.sum"} {
		if err := os.WriteFile(filepath.Join(first, file), mustRead(t, filepath.Join(root, file)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	CopyTree(t, first, second)
	var built [2]map[string][]byte
	for i, source := range []string{first, second} {
		out := t.TempDir()
		// As the Makefile builds them.
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out+string(filepath.Separator), "./cmd/...")
		build.Dir = source
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, text)
		}
		built[i] = map[string][]byte{}
		for _, program := range []string{"solekey", "solekeyd"} {
			built[i][program] = mustRead(t, filepath.Join(out, program))
			if bytes.Contains(built[i][program], []byte(source)) {
				t.Errorf("%s names the folder that it was built in", program)
			}
		}
	}
	for program := range built[0] {
		if !bytes.Equal(built[0][program], built[1][program]) {
			t.Errorf("%s differs between two folders", program)
		}
	}
}
