package stock

import (
	"strings"
	"testing"
)

func TestExport(t *testing.T) {
	s := New()
	if err := s.Put(Item{SKU: "mug", Shelf: "A2", Count: 3}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Export(&out, s); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "sku,shelf,count\nmug,A2,3\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPutRefuses(t *testing.T) {
	if New().Put(Item{SKU: "mug", Count: -1}) == nil {
		t.Error("a negative count was accepted")
	}
}
