"""Views that list records, as a page, as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Iterator

from bottle import HTTPResponse, request
from sqlalchemy import Connection

from db.errors import InputError, UnknownRecord, UnknownRow
from db.records.dataset import find_dataset
from db.records.listings.index_scan import choose_scan, count_rows
from db.records.listings.listing import ListedRecord, ListingPage, each_page, list_records
from db.records.listings.listing_filter import ListingSort, read_sort
from db.records.listings.sorted_listing import sort_records, sorted_pages
from db.records.record_detail import RecordDetail, read_record_detail
from serve.api.query import read_query
from serve.api.response import public_path, respond
from serve.pages.labelling.label_control import MOST_SUGGESTIONS
from serve.pages.language.translation import gettext as _
from serve.pages.login import Authenticator
from serve.pages.paced_download import pace
from serve.pages.rendering import show, wants_page
from serve.prediction.catalog import Served
from serve.prediction.service import PredictionService

from .listing_output import as_csv, as_json, next_path, previous_path
from .listing_query import ListingQuery, read_listing_query
from .listing_table import titles_of

CSV = "text/csv; charset=utf-8"
# The pages in which all rows are read, so that memory stays flat.
STREAMED_ROWS = 500


class ListingPages:
    """The view of /records/NAME."""

    def __init__(self, service: PredictionService, authenticator: Authenticator) -> None:
        self._service = service
        self._authenticator = authenticator

    def records(self, name: str) -> HTTPResponse:
        """List records: as a page for browsers, as JSON for other clients, as CSV on request."""
        self._authenticator.require_listing_key()
        served = self._service.catalog.find(name)
        query = read_listing_query(read_query(request.query_string))
        sort = read_sort(query.sort, tuple(served.spec.fields))
        if query.is_whole:
            return _attach(served, pace(as_csv(served.spec, self._whole(served, query, sort))))
        total = None
        if query.row:
            page = self._row(served, query.row)
        else:
            page, total = self._read(served, query, sort)
        response = self._respond(served, query, page, total)
        _link_next(response, served, query, page)
        return response

    def _read(
        self, served: Served, query: ListingQuery, sort: ListingSort | None
    ) -> tuple[ListingPage, int | None]:
        """Return a page of a listing, and how many records all pages have, None in a search."""
        with self._service.store_reader.reading() as connection:
            page = _page(connection, served, query, sort)
            if query.filter.text:
                return page, None
            scan = choose_scan(query.filter, regression=served.spec.kind == "regression")
            return page, count_rows(connection, served.id, scan)

    def _whole(
        self, served: Served, query: ListingQuery, sort: ListingSort | None
    ) -> Iterator[list[ListedRecord]]:
        """Return all records of a listing in pages."""
        regression, wanted = served.spec.kind == "regression", query.filter
        reading = self._service.store_reader.reading
        if sort is None:
            return each_page(reading, served.id, wanted, regression=regression, rows=STREAMED_ROWS)
        return sorted_pages(reading, served.id, wanted, sort, regression=regression)

    def _row(self, served: Served, row_id: str) -> ListingPage:
        """Return the record of one row as a listing, which is empty if there is no such row."""
        if not served.spec.id:
            raise InputError("row", f"{served.name} has no id by which a row can be found")
        try:
            key = self._service.find_row(served, row_id).key
            with self._service.store_reader.reading() as connection:
                dataset = find_dataset(connection, served.name)
                return ListingPage([_as_listed(read_record_detail(connection, dataset, key))])
        except (UnknownRow, UnknownRecord):
            return ListingPage([])

    def _respond(
        self, served: Served, query: ListingQuery, page: ListingPage, total: int | None
    ) -> HTTPResponse:
        format_name = query.format or ("html" if wants_page() else "json")
        is_unknown = bool(query.row and not page.rows)
        if is_unknown and format_name != "html":
            raise UnknownRow(f"{served.name} has no row with the {served.spec.id} {query.row!r}")
        if format_name == "json":
            return respond(as_json(served.name, query, page, total))
        if format_name == "csv":
            return _attach(served, [b"".join(as_csv(served.spec, [page.rows]))])
        return show(
            "records",
            404 if is_unknown else 200,
            title=_("Records of {dataset}").format(dataset=served.name),
            datasets=list(self._service.catalog.datasets),
            dataset=served.name,
            served=served,
            query=query,
            listing=page,
            total=total,
            next_path=next_path(served.name, query, page),
            previous_path=previous_path(served.name, query, page),
            labels=(served.spec.labels or served.student_labels)[:MOST_SUGGESTIONS],
            titles=titles_of(regression=served.spec.kind == "regression"),
        )


def _page(
    connection: Connection, served: Served, query: ListingQuery, sort: ListingSort | None
) -> ListingPage:
    regression, wanted = served.spec.kind == "regression", query.filter
    if sort is not None:
        return sort_records(
            connection,
            served.id,
            wanted,
            sort,
            regression=regression,
            after=query.after,
            rows=query.rows,
        )
    return list_records(
        connection,
        served.id,
        wanted,
        regression=regression,
        after=query.after,
        before=query.before,
        rows=query.rows,
    )


def _attach(served: Served, body: Iterator[bytes] | list[bytes]) -> HTTPResponse:
    """Return CSV as a file that a browser saves."""
    response = respond(body[0], CSV) if isinstance(body, list) else respond(body, CSV)
    response.set_header("Content-Disposition", f'attachment; filename="{served.name}.csv"')
    return response


def _link_next(
    response: HTTPResponse, served: Served, query: ListingQuery, page: ListingPage
) -> None:
    following = next_path(served.name, query, page)
    if following:
        response.set_header("Link", f'<{public_path(following)}>; rel="next"')


def _as_listed(record: RecordDetail) -> ListedRecord:
    names = ListedRecord.__dataclass_fields__
    return ListedRecord(**{name: getattr(record, name) for name in names})
