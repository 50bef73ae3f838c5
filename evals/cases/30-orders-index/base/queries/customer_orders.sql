-- "My orders": the newest 20 orders of customer $1.
SELECT o.id, o.state, o.created_at, sum(l.cents) AS cents
FROM (
    SELECT id, state, created_at
    FROM orders
    WHERE customer_id = $1
    ORDER BY created_at DESC, id DESC
    LIMIT 20
) AS o
LEFT JOIN order_lines AS l ON l.order_id = o.id
GROUP BY o.id, o.state, o.created_at
ORDER BY o.created_at DESC, o.id DESC;
