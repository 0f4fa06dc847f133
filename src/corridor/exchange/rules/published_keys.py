"""Test keys whose private halves stand in public documents; nobody may pin one.

Each entry is the JWK thumbprint (RFC 7638) of an Ed25519 public key. A library's example or a copied test fixture is
the usual way in which such a key ends up in a real card.
"""

RFC_8032 = frozenset(
    {
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        "FtIu-VbGrfe_KB6CH7GNwODB72MNxj_ml11dEvO-7kk",
        "FVV5umTuau890q59V-4Ga_R6qWb7ON_ivJc4EjvCwTM",
        "lZI1vM7tnlYapaF5-cy86ptx0tT_8Av721hhiNB5ti4",
        "iiDHHfFVNG6ICMUTsicgrWf1igtFYZEK73xlobt1ah4",
        "2bVIQ9_u0wVxBsBwmxK3F42rRFnt_dA7CZQ3u_2RKZY",
        "qz1FYaobwnFjkaNLccv-mFXe7gu45Zo72p2XqE3Is20",
    }
)
"""RFC 8032, section 7.1 (all five) and 7.2 (both keys of Ed25519ctx); its TEST 1 is the key of RFC 8037 too."""

RFC_9421 = frozenset(
    {
        "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U",
    }
)
"""RFC 9421, appendix B.1.4 (test-key-ed25519)."""

WYCHEPROOF = frozenset(
    {
        "-fBQpbhoYuXZyy0lATTQof-fWhUfvELPQNOeBaRUU5E",
        "0yAmAD_Rq2nWsFeFySKcqSyDnpG8OmCdlaXUDWEZDlA",
        "1FlqKirw8V-zvcLC2dju2v7udfkS7Pqs8mnskH24yF4",
        "2FFVkBVa5lMc96Ngrrys1lNZ6mlJhYJaVl3PIAEc_P4",
        "7WD0ZuODRd1Q-blLlvZGOsZr4oEM-OUS3S9zt5PvLg4",
        "8AbwgFWAicbNVlgEHX-W_PWzRkFAerLhs8XOF_iQsRk",
        "8I-1AW-FGk1q2HUQgkhAlXVRwYyLN4bXgGkNHNvqDiY",
        "8_U30A4ZFpFy_KIMQulIRpLaOLfY_c-ODkbkubfM8Zw",
        "91z8MqGfVx04oH0W3kt1CIWksZR7vbAoo2LQZOj3tlY",
        "BkxbZ4AigOueYRGfYU6IEhykxDZZOwaEtMTRIgpY60Y",
        "DysFOxcdoxG8ExFqikniq7K00AUjWIfJkg-_n7lqIV4",
        "F3ab41-HCha0I6hYXqNUnGPh-4aIDD0AQyih-283F6Q",
        "FzSIljDTywWR2jmMtK3ONf2Qujb8w7aNQHPGO4OIrJo",
        "K-Kw3M5tCYxYctoUy9MT50YxfuS2J3y-k75z5LuYQUw",
        "K2iEY2aPmKDnW3ipRiInvjFGhEdbPkX8Zgnn83h4fVU",
        "K5uzOQ1qRZdYvYuLL0EBsR6iU495LRKDlcYe9JTlY5k",
        "Ka071NjjG4RE8f0-zIIrSXKwOdjz6utY3_r6NTYv1VA",
        "L0JQQwXq2LW0RQYee_LAxcf8lrhrPnfVD70AoPa1crA",
        "LpIYIXlyviL7or8b78YH8sFO_pPgbfiOBzxMzNrhS_Y",
        "OHfZjUsAOp2W3QisLxCKi-BA9DfQPrkJ4OjlGiyj3j0",
        "Pq6kYiPHI9F2y2mSiu2luIFSNnfy5wlMv5J7LvdV5TA",
        "Qb9gCx72qlnjNIG-WspnoAIOio_7GhkBkoAFb_lw9WM",
        "Sn1Jsy5i4tG4xxMBfSLnEcz6srcUiCUmEjTq7jDJoWo",
        "TLSU3VBWK9UYDYSUhIdnIXh3xMjTqHcP7JSqN8cWMDU",
        "Ta4OzWMUYjEI90q3B8PvhhjQCkjwkmDDl2t-EXsOLss",
        "UQ5CAj6tXBRYNOUl031HGjso00smvmNrztOZEyYkbHA",
        "Uuz8t0hRTWdU2bUvP7LSptIUwgoDNhz3KgwdFTwzmIA",
        "YeMmn1YsKzNnqzEbEXrvHFpK6K8TtH6uAO1GcBMzT-I",
        "_Y870kQPJ6Ezp4ksNiK9Uyv2DNJp_G4XwXX9mPHjL04",
        "__udjuGg7grJEFuqnOsWzaK5JOY1lTGA4Vp1zUpd8KY",
        "coX4jB48cxgdIlPNlKbFbnum_zy8Vzt6duLHfoOthgI",
        "daNjRR9Y7EfgHQRLnTTzOD1J35pWrGJMZ9qRSt4vrLI",
        "e1A_70UPZow2psBhMg1fT7K5FfRtkrK-PJKgGbWB6Uk",
        "fOMEqq_d_lHk9njMG9Di4cCUh-SD7xnYgmX-DNIaXtg",
        "h2OTIyyCsLpF8bhfO88IUeKX2LQWT57LbnF52bg4jDk",
        "hC6TrKC7cIa1Eh9UwDx0bOzbPvxl2o7SWP-ze1YKOYo",
        "hId93aSKN_xG5WWR-esqGLPr_UGBQ-LkbiXE-OKvCTY",
        "hrmi8BUJh8Q117nIlsQRN4yYPexjq_1mbH0Xni4Rp1Y",
        "iCJSSvLGgVMOGEt5qSYgxcSPEA6Oa_5b1AKIpn8cHcc",
        "jui55eEOZHrvkzTiGMHDT9QJsM9JVgNe8XCTqIfOarI",
        "k34L9rg72zwxQGCs8m4R4ZlTabrTFAQYtnGkqlDpRZE",
        "pWPDo6KeHBHh6qlPNWaRYBso7CdNXh0AU-N79CnWoxU",
        "sIjtj86vwJpaSSwpRi_N2X0Xm6UxS5wLBXqS8Pc8qH4",
        "wQdP5aYhRafkBsQ_B4_RHCugnNA90QdDYQR_tPBBW1g",
        "whzXN9WPd2qZyKXCZmDMlU5TGQjzRHZa496Dj1K0ZAs",
        "xmHiqP64V-LNYDo2wpY1ZZt3lfxTC1l0-eHk-nebUQg",
        "yYZzAANgxJZrn0_Xmuub5G8M8vE_hx2nyfvkDzvsLC8",
        "z9x99mdQbTbp9EE3CveGbcvFawe2YYeVzMyXarJR4RY",
    }
)
"""C2SP/wycheproof, ed25519_test.json at commit dac1dd4, without those of RFC 8032."""

CCTV = frozenset(
    {
        "jTrAdQzKeePID1gW_39NBBo_QwLjUVgQOT1WpF7_A5Y",
    }
)
"""C2SP/CCTV, ed25519vectors.json at commit 1e3d286: the one key that is not weak by itself."""

SIGNED_NOTE = frozenset(
    {
        "9ZP03Nu8GrXPAUkbKNxHOKBzxPX83SShgFkRNK-f2lw",
        "kNkHXkz37atKsEas5vKxo_h-EMH4ygJc3MKSuZpSjlU",
    }
)
"""golang/mod, sumdb/note/note_test.go at commit fe2ec04 (PeterNeumann, EnochRoot)."""

PUBLISHED_KEYS = RFC_8032 | RFC_9421 | WYCHEPROOF | CCTV | SIGNED_NOTE
"""All of them."""
