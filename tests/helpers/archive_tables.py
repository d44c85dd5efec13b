"""Tables as the archive's portal answers them."""

COLUMNS = {"obsid": "string", "obs_collection": "string", "obs_id": "string", "target_name": "string"}

PRODUCT = {"obsID": "string", "productFilename": "string", "dataURI": "string", "size": "int", "dataRights": "string",
           "obs_collection": "string", "productType": "string"}  # fmt: skip


def table(columns, rows):
    fields = [{"name": name, "type": kind} for name, kind in columns.items()]
    paging = {"page": 1, "pageSize": 50000, "pagesFiltered": 1, "rows": len(rows), "rowsFiltered": len(rows)}
    return {"status": "COMPLETE", "msg": "", "fields": fields, "data": rows, "paging": paging}
