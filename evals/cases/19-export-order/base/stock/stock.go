// Package stock keeps the stock of a shop.
package stock

import "fmt"

// Item is an article in stock.
type Item struct {
	SKU   string
	Shelf string
	Count int
}

// Stock is what the shop has. The zero value is not usable; call New.
type Stock struct {
	items map[string]Item
}

// New returns an empty stock.
func New() *Stock {
	return &Stock{items: make(map[string]Item)}
}

// Put adds an article or replaces the one with the same SKU.
func (s *Stock) Put(item Item) error {
	if item.SKU == "" || item.Count < 0 {
		return fmt.Errorf("not an item: %+v", item)
	}
	s.items[item.SKU] = item
	return nil
}

// Items returns all articles, in no particular order.
func (s *Stock) Items() []Item {
	items := make([]Item, 0, len(s.items))
	for _, item := range s.items {
		items = append(items, item)
	}
	return items
}
