BEGIN;

CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL,
    state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'paid', 'sent', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS order_lines (
    order_id bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line integer NOT NULL CHECK (line > 0),
    article text NOT NULL,
    cents bigint NOT NULL CHECK (cents >= 0),
    PRIMARY KEY (order_id, line)
);

COMMIT;
