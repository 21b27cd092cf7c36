"""The product page: what it reads, the picture and the table of each section, and its HTML.

`figures.py` reads; `active_users.py` to `interruptions.py` are a section each; `page.py` puts them
into `page.html.j2`. `flows/report_product.py` stores the page.
"""
