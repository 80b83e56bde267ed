// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/protocol"
)

// tool returns a small program with one command, one group and one hidden command.
func tool() *cobra.Command {
	nothing := func(*cobra.Command, []string) error { return nil }
	root := &cobra.Command{
		Use: "tool", Short: "Does little", SilenceErrors: true, SilenceUsage: true, RunE: nothing,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return FromEnvironment("tool", c.Flags()) },
	}
	root.PersistentFlags().Bool("json", false, "write JSON")
	group := &cobra.Command{Use: "group", Short: "Holds others"}
	one := &cobra.Command{
		Use: "one FILE", Short: "Takes one", Long: "One takes one.\n\n.It begins with a dot.", Example: "  tool group one a-b",
		Args: Exactly(1, "a file"), RunE: nothing,
	}
	one.Flags().StringP("level", "l", "high", "which `level` it takes")
	one.Flags().String("folder", "/home/ada", "folder")
	some := &cobra.Command{Use: "some FILE...", Short: "Takes some", Args: AtLeast(1, "a file"), RunE: nothing}
	few := &cobra.Command{Use: "few [FILE]", Short: "Takes few", Args: AtMost(1, "a file"), RunE: nothing}
	group.AddCommand(one, some, few)
	pages := &Pages{
		Program: "tool", Exit: [][2]string{{"0", "done"}, {"1", "failed"}}, Environment: [][2]string{{"HOME", "where it lives"}},
		OfMachine: []string{"folder"},
	}
	root.AddCommand(group, pages.Command())
	root.CompletionOptions.DisableDefaultCmd = true
	AsUsage(root)
	return root
}

func call(args ...string) error {
	root := tool()
	root.SetArgs(args)
	root.SetOut(&bytes.Buffer{})
	return root.Execute()
}

func TestPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	if err := call("man", dir); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 5 {
		t.Fatalf("pages %q, %v", names, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "tool-group-one.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		".TH TOOL\\-GROUP\\-ONE 1\n", ".SH NAME\ntool\\-group\\-one \\- Takes one\n", "\n.PP\n\\&.It begins",
		".B \\-l, \\-\\-level level\nwhich level it takes (default: high; environment: TOOL_LEVEL)\n",
		"\nfolder (environment: TOOL_FOLDER)\n", ".SH OPTIONS OF EVERY COMMAND\n.TP\n.B \\-\\-json\n", "tool group one a\\-b\n.fi\n",
		".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nfailed\n", ".SH ENVIRONMENT\n.TP\n.B HOME\n", ".SH SEE ALSO\n.BR tool\\-group (1)\n",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page has no %q:\n%s", want, page)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := call("man", filepath.Join(file, "man")); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("pages below a file: %v", err)
	}
}

func TestWrongCommandLines(t *testing.T) {
	for _, args := range [][]string{
		{"nothing"},
		{"groop"},
		{"group", "none"},
		{"group", "one"},
		{"group", "one", "a", "b"},
		{"group", "some"},
		{"group", "few", "a", "b"},
		{"--unknown"},
		{"group", "one", "a", "--unknown"},
	} {
		if err := call(args...); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range [][]string{{}, {"group", "one", "a"}, {"group", "some", "a", "b"}, {"group", "few"}} {
		if err := call(args...); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	if err := call("groop"); !strings.Contains(err.Error(), "did you mean group?") {
		t.Errorf("a near one: %v", err)
	}
}

func TestFromEnvironment(t *testing.T) {
	t.Setenv("TOOL_JSON", "true")
	flags := tool().PersistentFlags()
	if err := FromEnvironment("tool", flags); err != nil {
		t.Fatal(err)
	}
	if on, _ := flags.GetBool("json"); !on {
		t.Error("the variable was not taken")
	}
	given := tool().PersistentFlags()
	if err := given.Set("json", "false"); err != nil {
		t.Fatal(err)
	}
	if err := FromEnvironment("tool", given); err != nil {
		t.Fatal(err)
	}
	if on, _ := given.GetBool("json"); on {
		t.Error("the variable counts more than the command line")
	}
	t.Setenv("TOOL_JSON", "perhaps")
	if err := call(); protocol.KindOf(err) != protocol.KindUsage || !strings.Contains(err.Error(), "TOOL_JSON") {
		t.Errorf("a wrong value: %v", err)
	}
	if got := Variable("solekey-audit", "state-dir"); got != "SOLEKEY_AUDIT_STATE_DIR" {
		t.Errorf("variable %s", got)
	}
}

func TestPrintQR(t *testing.T) {
	var out, same bytes.Buffer
	PrintQR(&out, "solekey:abc")
	PrintQR(&same, "SOLEKEY:ABC")
	if out.String() != same.String() {
		t.Error("the case of letters makes another code")
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	for _, line := range lines {
		if utf8.RuneCountInString(line) != utf8.RuneCountInString(lines[0]) {
			t.Errorf("line %q has another width", line)
		}
	}
	if !strings.Contains(lines[0], "████") || len(lines) < 12 {
		t.Errorf("a code without a quiet zone: %d lines, first %q", len(lines), lines[0])
	}
	out.Reset()
	PrintQR(&out, strings.Repeat("x", 8000))
	if out.Len() != 0 {
		t.Error("what does not fit is drawn")
	}
}
