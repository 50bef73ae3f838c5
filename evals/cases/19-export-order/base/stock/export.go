package stock

import (
	"encoding/csv"
	"io"
	"strconv"
)

// Export writes the stock as CSV with a header.
func Export(w io.Writer, s *Stock) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"sku", "shelf", "count"}); err != nil {
		return err
	}
	for _, item := range s.Items() {
		if err := out.Write([]string{item.SKU, item.Shelf, strconv.Itoa(item.Count)}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
