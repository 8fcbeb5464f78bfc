"""Figures as inline SVG: small, sharp on any screen, in the colours of the page they stand on.

They are drawn here and not by Matplotlib, whose SVG takes many times as many bytes and as much time, and
spells out its colours, which must change in the dark. Colours and fonts are classes of ``page.css``.
"""
