"""The directory: what operators know and change about tenants, contracts, subscriptions, databases and boxes.

One module per subject, plain functions over a ``Connection`` inside a transaction the caller holds
(``service.store.engine.transaction(folder)`` for a command). ``add_*`` and ``change_*`` check first, raise a
``DirectoryError`` with a sentence for the person who asked, and record an event with every change; ``show_*``
raises Unknown, ``list_*`` gives what there is. Every change takes ``By``: who, when and why.

    with transaction(folder) as connection:
        by = By(actor=Actor("cli:root"), at=clock.now(), why="new customer")
        add_tenant(connection, TenantId("shop"), "The Shop", by)
        add_contract(connection, ContractCode("C-1001"), TenantId("shop"), by)
        add_subscription(connection, SubscriptionId("S-1"), ContractCode("C-1001"), by,
                         status=SubscriptionStatus.IN_PROGRESS, lines=(Line(product=IOT_BOX_PRODUCT, quantity=5),))
        add_database(connection, DatabaseUuid(str(uuid4())), TenantId("shop"), by, name="shop")
"""
