package stock

import (
	"encoding/csv"
	"io"
	"sort"
	"strconv"
)

// Export writes the stock as CSV with a header, by shelf and then by SKU.
func Export(w io.Writer, s *Stock) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"sku", "shelf", "count"}); err != nil {
		return err
	}
	items := s.Items()
	sort.Slice(items, func(i, j int) bool {
		if items[i].Shelf != items[j].Shelf {
			return items[i].Shelf < items[j].Shelf
		}
		return items[i].SKU < items[j].SKU
	})
	for _, item := range items {
		if err := out.Write([]string{item.SKU, item.Shelf, strconv.Itoa(item.Count)}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
