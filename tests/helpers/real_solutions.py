"""What the real archive headers hold: their solutions, and which are damaged as they came from the archive."""

#: By file: EXTVER, WCSNAME, HDRNAME, IDCTAB, matches, RMS in RA and Dec (mas): read from the primary header of the FITS
#: file inside each HDRLET with astropy alone (an RMS of 0 or "" is none). In a HDRNAME, @ is the WCSNAME.
_SOLUTIONS = """
sample_flc_header
1 OPUS jbt122x8q_flt_@ 0461802dj 0 - -
2 IDC_4bb1536cj jbt122x8q_flc_dce75a_hlet.fits 4bb1536cj 0 - -
18 IDC_4bb1536cj-GSC240 jbt122x8q_flc_9ec245_hlet.fits 4bb1536cj 0 - -
4 IDC_4bb1536cj-FIT_REL_GAIAeDR3 jbt122x8q_flc_@-hlet.fits 4bb1536cj 11 14.156 6.629
5 IDC_4bb1536cj-FIT_IMG_GAIAeDR3 jbt122x8q_flc_@-hlet.fits 4bb1536cj 10 15.26 10.707
sample_ipppssoot_flc
1 OPUS ib4606c5q_flt_@ 2731450pi 0 - -
2 IDC_2731450pi ib4606c5q_flt_@ 2731450pi 0 - -
3 IDC_2731450pi-GSC240 ib4606c5q_flt_@-hlet.fits 2731450pi 2 - -
4 IDC_2731450pi-HSC30 ib4606c5q_flt_@ 2731450pi 0 - -
5 IDC_2731450pi-FIT_REL_GAIADR2 ib4606c5q_flc_@-hlet.fits 2731450pi 691 9.009 7.743
6 IDC_2731450pi-FIT_SVM_GAIADR2 hst_11665_06_wfc3_uvis_f555w_ib4606c5_flc_@-hlet.fits 2731450pi 697 9.022 7.709
7 IDC_2731450pi @ 2731450pi 0 - -
8 IDC_2731450pi-FIT_REL_GAIAeDR3 ib4606c5q_flc_@-hlet.fits 2731450pi 573 5.759 5.292
sample_ipppssoot_flt
1 OPUS ib4606cpq_flt_@ w3m18525i 0 - -
2 IDC_w3m18525i ib4606cpq_flt_@ w3m18525i 0 - -
3 IDC_w3m18525i-GSC240 ib4606cpq_flt_@ w3m18525i 2 - -
4 IDC_w3m18525i-HSC30 ib4606cpq_flt_@ w3m18525i 0 - -
5 IDC_w3m18525i-FIT_REL_GAIADR1 ib4606cpq_flt_@-hlet.fits w3m18525i 0 13.205 12.719
6 IDC_w3m18525i-FIT_REL_GAIADR2 ib4606cpq_flt_@-hlet.fits w3m18525i 0 9.616 11.486
7 IDC_w3m18525i-FIT_SVM_GAIADR2 hst_11665_06_wfc3_ir_f110w_ib4606cp_fl_@-hlet.fits w3m18525i 307 12.601 12.964
8 IDC_w3m18525i @ w3m18525i 0 - -
9 IDC_w3m18525i-FIT_REL_GAIAeDR3 ib4606cpq_flt_@-hlet.fits w3m18525i 276 9.627 10.208
sample_svm_flc
1 OPUS ib4606c6q_flt_@ 2731450pi 0 - -
2 IDC_2731450pi ib4606c6q_flt_@ 2731450pi 0 - -
3 IDC_2731450pi-GSC240 ib4606c6q_flt_@ 2731450pi 2 - -
4 IDC_2731450pi-HSC30 ib4606c6q_flt_@ 2731450pi 0 - -
5 IDC_2731450pi-FIT_REL_GAIADR2 ib4606c6q_flc_@-hlet.fits 2731450pi 691 9.009 7.743
6 ib4606c6q_flt_IDC_2731450pi-HSC30-hlet.fits ib4606c6q_flt_ib4606c6q_flt_IDC_2731450pi-HSC30 2731450pi 0 - -
7 IDC_2731450pi-FIT_SVM_GAIADR2 hst_11665_06_wfc3_uvis_f555w_ib4606c6_flc_@-hlet.fits 2731450pi 697 9.022 7.709
8 IDC_2731450pi @ 2731450pi 0 - -
9 IDC_2731450pi-FIT_REL_GAIAeDR3 ib4606c6q_flc_@-hlet.fits 2731450pi 573 5.759 5.292
10 IDC_2731450pi-FIT_SVM_GAIAeDR3 hst_11665_06_wfc3_uvis_f555w_ib4606c6_flc_@-hlet.fits 2731450pi 494 6.158 5.19
sample_svm_flt
1 OPUS ib4606cpq_flt_@ w3m18525i 0 - -
2 IDC_w3m18525i ib4606cpq_flt_@ w3m18525i 0 - -
3 IDC_w3m18525i-GSC240 ib4606cpq_flt_@ w3m18525i 2 - -
4 IDC_w3m18525i-HSC30 ib4606cpq_flt_@ w3m18525i 0 - -
5 IDC_w3m18525i-FIT_REL_GAIADR1 ib4606cpq_flt_@-hlet.fits w3m18525i 0 13.205 12.719
6 IDC_w3m18525i-FIT_REL_GAIADR2 ib4606cpq_flt_@-hlet.fits w3m18525i 0 9.616 11.486
7 IDC_w3m18525i-FIT_SVM_GAIADR2 hst_11665_06_wfc3_ir_f110w_ib4606cp_fl_@-hlet.fits w3m18525i 307 12.601 12.964
8 IDC_w3m18525i @ w3m18525i 0 - -
9 IDC_w3m18525i-FIT_REL_GAIAeDR3 ib4606cpq_flt_@-hlet.fits w3m18525i 276 9.627 10.208
10 IDC_w3m18525i-FIT_SVM_GAIAeDR3 hst_11665_06_wfc3_ir_f110w_ib4606cp_flt_@-hlet.fits w3m18525i 224 9.916 10.422
"""


def _read(text):
    found = {}
    for words in map(str.split, text.strip().splitlines()):
        if len(words) == 1:
            rows = found.setdefault(words[0], [])
        else:
            rms = tuple(None if word == "-" else float(word) for word in words[5:])
            hdrname = words[2].replace("@", words[1])
            rows.append((int(words[0]), words[1], hdrname, words[3], int(words[4]), *rms))
    return found


EXPECTED = _read(_SOLUTIONS)
#: The active solution, read from SCI,1: WCSNAME, NMATCHES, RMS_RA, RMS_DEC (mas).
ACTIVE = {
    "sample_flc_header": ("IDC_4bb1536cj-FIT_IMG_GAIAeDR3", 10, 15.260, 10.707),
    "sample_ipppssoot_flc": ("IDC_2731450pi-FIT_REL_GAIAeDR3", 573, 5.759, 5.292),
    "sample_ipppssoot_flt": ("IDC_w3m18525i-FIT_REL_GAIAeDR3", 276, 9.627, 10.208),
    "sample_svm_flc": ("IDC_2731450pi-FIT_SVM_GAIAeDR3", 494, 6.158, 5.190),
    "sample_svm_flt": ("IDC_w3m18525i-FIT_SVM_GAIAeDR3", 224, 9.916, 10.422),
}
#: HDRLETs of the archive whose second chip is that of another solution (B5): SIPWCS,2 holds another WCSNAME.
STALE = {"sample_flc_header": {4, 5}, "sample_ipppssoot_flc": {8}, "sample_svm_flc": {9, 10}}
