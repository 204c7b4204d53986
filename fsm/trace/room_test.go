package trace

import (
	"reflect"
	"runtime"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// TestMachineKeepsNoSliceOfAResponse is why a recorder may write one response
// over another: there is no place in the facts of a machine where a body or the
// fields of a header could be. (Members of a record that a newer writer added
// come out of the store.)
func TestMachineKeepsNoSliceOfAResponse(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Array, reflect.Slice:
			if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Uint8 && typ.Name() != "Value" {
				t.Errorf("%s is bytes", path)
			}
			walk(path, typ.Elem())
		case reflect.Struct:
			if typ.PkgPath() == "time" {
				return
			}
			for i := range typ.NumField() {
				f := typ.Field(i)
				if f.Type.Name() == "Value" && f.Name != "Unknown" || f.Type.Name() == "Fields" || f.Type.Name() == "Response" {
					t.Errorf("%s.%s is %s", path, f.Name, f.Type)
				}
				walk(path+"."+f.Name, f.Type)
			}
		case reflect.Interface, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
			t.Errorf("%s is %s", path, typ)
		}
	}
	walk("Data", reflect.TypeFor[states.Data]())
	if len(seen) < 15 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}

// TestRecorderAllocations holds what a recorded flow takes, which is two
// machines' work and the trace, to three times what the flow alone takes.
func TestRecorderAllocations(t *testing.T) {
	f, e := retold(t), fsm.NewEngine()
	plain := func() { f.run(t, e, nil) }
	traced := func() {
		rec, err := NewRecorder(f.begin, Options{})
		if err != nil {
			t.Fatal(err)
		}
		f.run(t, e, rec)
		if rec.Ended() != "" {
			t.Fatal(rec.Ended())
		}
	}
	if alone, both := testing.AllocsPerRun(100, plain), testing.AllocsPerRun(100, traced); both > 3*alone {
		t.Errorf("%v allocations, %v without a recorder", both, alone)
	}
	if alone, both := bytesOf(plain), bytesOf(traced); both > 3*alone {
		t.Errorf("%d bytes, %d without a recorder", both, alone)
	}
}

// bytesOf is how much memory a function takes from the heap.
func bytesOf(do func()) uint64 {
	const runs = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		do()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}
