// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"encoding"
	"encoding/json"
	"flag"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/server"
)

var update = flag.Bool("update", false, "write spec/openapi.json anew")

// object is a JSON object; encoding/json writes its keys in order.
type object = map[string]any

// TestOpenAPI holds spec/openapi.json to the routes of the server and to the types
// of the contract.
func TestOpenAPI(t *testing.T) {
	documented := operations()
	for _, pattern := range server.TestingOnlyPatterns() {
		if _, ok := documented[pattern]; !ok && pattern != "/" {
			t.Errorf("%s is not documented", pattern)
		}
	}
	for pattern := range documented {
		if !slices.Contains(server.TestingOnlyPatterns(), pattern) {
			t.Errorf("%s is documented and not there", pattern)
		}
	}
	want, err := json.MarshalIndent(document(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	path := filepath.Join("..", "..", "spec", "openapi.json")
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, want) {
		t.Errorf("%s is not what the server answers; where that is meant, go test -update (%v)", path, err)
	}
}

// document is the whole document, in OpenAPI 3.1.
func document() object {
	s := &schemas{all: object{}}
	paths := object{}
	for pattern, op := range operations() {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.ReplaceAll(path, "...}", "}")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(method)] = s.operation(path, op)
	}
	s.of(reflect.TypeFor[api.Error]())
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Solekey provider", "version": "1",
			"description": "What a device and its provider say to each other. spec/api.md says what it means, which limits hold, and who may ask; a device believes nothing of it before it has verified it.",
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"paths": paths,
		"components": object{
			"schemas":         s.all,
			"securitySchemes": object{"session": object{"type": "http", "scheme": "bearer"}},
		},
	}
}

// schemas describes the types that it is asked for.
type schemas struct{ all object }

func (s *schemas) operation(path string, op operation) object {
	failure := object{"description": "not done; the kind says why", "content": object{api.TypeJSON: object{"schema": ref("Error")}}}
	o := object{"summary": op.says, "responses": object{"default": failure}}
	said := object{"description": "done"}
	if op.response != nil {
		said["content"] = s.content(op.response)
	}
	for _, status := range []int{op.status, op.also} {
		if status != 0 {
			o["responses"].(object)[fmt.Sprint(status)] = said
		}
	}
	if op.request != nil {
		o["requestBody"] = object{"required": true, "content": s.content(op.request)}
	}
	switch {
	case strings.HasPrefix(op.session, "none"):
		o["security"] = []object{{}, {"session": []string{}}}
	case op.session != "":
		o["security"] = []object{{"session": []string{}}}
	}
	if op.session != "" {
		o["description"] = "Sessions, by the letters of spec/api.md: " + op.session + "."
	}
	if list := s.parameters(path, op); len(list) > 0 {
		o["parameters"] = list
	}
	return o
}

func (s *schemas) parameters(path string, op operation) []object {
	var list []object
	for part := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			list = append(list, object{"name": name, "in": "path", "required": true, "description": parameters()[name], "schema": object{"type": "string"}})
		}
	}
	for _, name := range op.query {
		says := parameters()[name]
		if strings.HasSuffix(path, "/packs") && name == api.QueryAfter {
			says = parameters()["cursor"]
		}
		list = append(list, object{"name": name, "in": "query", "required": name == api.QueryName, "description": says, "schema": object{"type": "string"}})
	}
	return list
}

func (s *schemas) content(body any) object {
	if kind, ok := body.(raw); ok {
		return object{string(kind): object{}}
	}
	return object{api.TypeJSON: object{"schema": s.of(reflect.TypeOf(body))}}
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

// words are the values of types that have few.
func words() map[reflect.Type][]string {
	return map[reflect.Type][]string{
		reflect.TypeFor[api.Scope]():     {string(api.ScopeEnrol), string(api.ScopeMember)},
		reflect.TypeFor[api.PackState](): {string(api.PackAbsent), string(api.PackStored), string(api.PackRetired), string(api.PackDropped)},
		reflect.TypeFor[api.EnrolmentState](): {
			string(api.EnrolmentWaiting), string(api.EnrolmentChallenged), string(api.EnrolmentRevealed),
			string(api.EnrolmentApproved), string(api.EnrolmentDenied), string(api.EnrolmentExpired),
		},
	}
}

// of is the schema of a type.
func (s *schemas) of(t reflect.Type) object {
	if list, ok := words()[t]; ok {
		return object{"type": "string", "enum": list}
	}
	switch {
	case t == reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	case t == reflect.TypeFor[protocol.Time]():
		return object{"type": "integer", "format": "int64", "description": "nanoseconds since 1970 UTC"}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) && t.Kind() == reflect.Array:
		return object{"type": "string", "pattern": fmt.Sprintf("^[0-9a-f]{%d}$", 2*t.Len())}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Struct:
		return s.ofStruct(t)
	}
	return object{"type": "integer", "format": "int64"}
}

func (s *schemas) ofStruct(t reflect.Type) object {
	if t.NumField() == 0 {
		return object{"type": "object"}
	}
	if s.all[t.Name()] == nil {
		properties, required := object{}, []string{}
		s.fields(t, properties, &required)
		slices.Sort(required)
		s.all[t.Name()] = object{"type": "object", "properties": properties, "required": required}
	}
	return ref(t.Name())
}

// fields describes the fields of a struct, and of those that it embeds.
func (s *schemas) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			s.fields(f.Type, properties, required)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = s.of(f.Type)
		if !strings.Contains(options, "omitempty") {
			*required = append(*required, name)
		}
	}
}

// routed finds the route of a request, as the server does.
var routed = sync.OnceValue(func() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern := range operations() {
		mux.Handle(pattern, http.NotFoundHandler())
	}
	return mux
})

// conforms holds an answer, of whatever test, to the document.
func (w *world) conforms(method, path string, a answer) {
	w.t.Helper()
	_, pattern := routed().Handler(httptest.NewRequest(method, "http://localhost"+path, nil))
	op, ok := operations()[pattern]
	if !ok || a.status >= 300 && a.status < 400 {
		return // of a path that there is not; ServeMux answers some of them with a redirection
	}
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	switch {
	case a.status >= 400:
		var e api.Error
		if kind != api.TypeJSON || strictly(a.body, &e) != nil {
			w.t.Errorf("%s: status %d is no error of the contract: %s", pattern, a.status, a.body)
		}
	case a.status != op.status && a.status != op.also:
		w.t.Errorf("%s: status %d is not documented", pattern, a.status)
	case op.response == nil:
		if len(a.body) > 0 {
			w.t.Errorf("%s: a body where none is documented", pattern)
		}
	default:
		w.bodyConforms(pattern, op.response, kind, err, a)
	}
}

func (w *world) bodyConforms(pattern string, response any, kind string, err error, a answer) {
	w.t.Helper()
	if want, ok := response.(raw); ok {
		if a.header.Get("Content-Type") != string(want) {
			w.t.Errorf("%s: content type %s, documented is %s", pattern, a.header.Get("Content-Type"), want)
		}
		return
	}
	into := reflect.New(reflect.TypeOf(response)).Interface()
	if wrong := strictly(a.body, into); err != nil || kind != api.TypeJSON || wrong != nil {
		w.t.Errorf("%s: not as documented, %v: %s", pattern, wrong, a.body)
	}
}

// strictly reads JSON that holds nothing but what the type has.
func strictly(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
