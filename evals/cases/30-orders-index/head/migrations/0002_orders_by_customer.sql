-- CONCURRENTLY, so that orders can be placed meanwhile; therefore no transaction.
-- A build that was broken off leaves an invalid index behind: remove it first.
DROP INDEX CONCURRENTLY IF EXISTS orders_by_customer;

CREATE INDEX CONCURRENTLY orders_by_customer
    ON orders (customer_id, created_at DESC, id DESC);
